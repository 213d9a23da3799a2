//! Damaged recordings of version 5.
