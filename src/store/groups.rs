//! (skeleton) Counts per process, remote and listener.
