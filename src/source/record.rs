//! (skeleton) Writes recordings.
