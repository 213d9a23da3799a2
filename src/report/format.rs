//! (skeleton) Text, JSON, NDJSON and CSV.
