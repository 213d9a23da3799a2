//! What addresses are called: asks the system's resolver (reverse DNS and `/etc/hosts`), a few at a time, and remembers.
//!
//! A question tells name servers, and with them the owner of the address, that somebody looks. So nothing is asked
//! before somebody wants it, and then only what is wanted now, slowly, and public addresses only.

mod book;
pub mod pool;
pub mod resolver;
