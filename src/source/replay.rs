//! (skeleton) Plays recordings.
