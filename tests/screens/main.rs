//! The whole program without a terminal: recordings and made-up machines, keys, and the screen as a picture of text.
//! `INSTA_UPDATE=always cargo test --test screens` rewrites the pictures; they are reviewed like code.

mod agreement;
mod colours;
mod every_tab;
mod gallery;
/// The machine of `tests/recorded/healthy_day.rs`.
#[path = "../recorded/healthy_day"]
mod healthy_day {
    mod chance;
    mod kernel;
    mod life;
    pub mod machine;
}
mod marks;
mod panels;
mod recording;
mod typing;
mod widths;
