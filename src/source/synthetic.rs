//! (skeleton) Made-up life.
