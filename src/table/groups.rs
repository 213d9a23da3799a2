//! (skeleton) Rows that stand for many sockets: per process, per remote address, per listener.
