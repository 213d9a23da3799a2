//! The settings that the screen and the commands share: one struct, which the command line fills and everyone reads.

use std::time::Duration;

use crate::app::keymap::remap::Keymap;
use crate::app::screen_setup::ScreenSetup;
use crate::diagnosis::ignore::Ignore;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::host_name::Lookups;
use crate::table::filter::saved::SavedFilters;

/// What the user sets and both the screen and the commands use.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct SharedSettings {
    /// The time between samples.
    pub interval: Duration,
    /// Whether actions on the machine are switched off.
    pub read_only: bool,
    /// Whether the sockets of all network namespaces are shown. The screen changes it.
    pub all_namespaces: bool,
    /// Whether names of hosts are asked for, or never may be. The screen changes it.
    pub lookups: Lookups,
    /// Whether the names of private addresses are asked for, too.
    pub private_names: bool,
    /// Whether the bell rings when something critical is found.
    pub bell: bool,
    /// Whether as little as possible is sent to the terminal: samples are rarer, and no trends and graphs are drawn.
    pub low_bandwidth: bool,
    /// The keys of the screen.
    pub keymap: Keymap,
    /// Filters with a name. The screen adds some.
    pub filters: SavedFilters,
    /// How the screen starts.
    pub screen: ScreenSetup,
    /// The numbers that the rules compare with.
    pub thresholds: Thresholds,
    /// The findings that are counted but not shown.
    pub ignore: Vec<Ignore>,
}

impl Default for SharedSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            read_only: false,
            all_namespaces: false,
            lookups: Lookups::Off,
            private_names: false,
            bell: false,
            low_bandwidth: false,
            keymap: Keymap::default(),
            filters: SavedFilters::default(),
            screen: ScreenSetup::default(),
            thresholds: Thresholds::default(),
            ignore: Vec::new(),
        }
    }
}
