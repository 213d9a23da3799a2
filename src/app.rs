//! What the screen shows and how it answers: actions, key map, modes, `update`.
//!
//! `update(&mut App, Msg) -> Vec<Effect>` decides; it performs no I/O and reads no clock.

pub mod effect;
pub mod msg;

use crate::app::effect::Effect;
use crate::app::msg::Msg;
use crate::model::action::Protection;
use crate::model::snapshot::SourceInfo;
use crate::store::Store;
use std::time::Duration;

/// What the app is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the data comes from, and what may be done to it.
    pub source: SourceInfo,
    /// The size of the terminal: columns, rows.
    pub size: (u16, u16),
    /// The filter to start with; must parse.
    pub filter: String,
    /// The time between samples.
    pub interval: Duration,
    /// Whether actions on the machine are switched off.
    pub read_only: bool,
    /// Processes that are never sent a signal.
    pub protected: Vec<(u32, Protection)>,
    /// Local time minus UTC, in seconds.
    pub utc_offset_seconds: i32,
    /// Whether to draw with ASCII only.
    pub ascii: bool,
    /// Whether colours may be used.
    pub color: bool,
}

/// All that the screen shows; the main thread's only state.
#[derive(Debug)]
pub struct App {
    /// The data.
    pub store: Store,
}

impl App {
    /// An app with no data yet.
    pub fn new(config: Config) -> Self {
        Self { store: Store::new(config.source) }
    }

    /// Takes in `msg` and says what is to be done about it.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        let _ = msg;
        Vec::new()
    }

    /// Whether the screen differs from what was last drawn; asking resets it.
    pub fn take_dirty(&mut self) -> bool {
        true
    }
}
