//! The whole program without a terminal: recordings and made-up machines, keys, and the screen as a picture of text.
//! `INSTA_UPDATE=always cargo test --test screens` rewrites the pictures; they are reviewed like code.

mod panels;
mod recording;
mod typing;
