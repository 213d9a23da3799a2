//! What the screen shows and how it answers: actions, key map, modes, `update`.
//!
//! `update(&mut App, Msg) -> Vec<Effect>` decides; it performs no I/O and reads no clock: "now" is the moment of the
//! last sample. What takes longer is done by `background`, when and as far as the event loop allows.

mod act_all;
mod acted;
mod action;
mod arrival;
pub mod background;
pub mod binding;
mod candidates;
mod cell;
pub mod click;
pub mod clock;
mod close;
pub mod columns;
pub mod config_diff;
pub mod config_text;
mod copy;
pub mod cursor;
pub mod detail;
pub mod diagram;
pub mod dialog;
pub mod effect;
pub mod explain;
mod export;
pub mod filter_edit;
mod filtering;
pub mod flows;
pub mod footer;
pub mod fuzzy;
mod gather;
mod going;
pub mod help;
pub mod help_page;
pub mod input;
pub mod inspector;
pub mod keymap;
mod keys;
mod kill;
pub mod layout;
pub mod legend;
mod lookups;
mod measures;
pub mod menu;
pub mod mode;
pub mod moment;
mod mouse;
pub mod msg;
mod needs;
pub mod network_line;
pub mod notice;
mod palette;
pub mod panels;
pub mod path;
pub mod pending;
pub mod prose;
pub mod related;
pub mod reset;
mod row_log;
pub mod samples;
mod save_config;
mod screen;
pub mod screen_setup;
pub mod scroll;
pub mod selection;
pub mod settings;
mod sorting;
pub mod states;
pub mod summary;
pub mod tabs;
mod tagging;
pub mod tags;
pub mod testing;
pub mod themes;
pub mod timeline;
pub mod young;

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::app::acted::Acted;
use crate::app::background::PendingWork;
use crate::app::effect::Effect;
use crate::app::flows::Flows;
use crate::app::input::InputHistory;
use crate::app::keys::KeyHistory;
use crate::app::mode::{Mode, Page, ReturnPoint};
use crate::app::msg::{Msg, ShownQuestion};
use crate::app::notice::{NoticeLevel, Notices};
use crate::app::palette::RecentCommands;
use crate::app::pending::PendingDeltas;
use crate::app::save_config::SavedEntries;
use crate::app::settings::SharedSettings;
use crate::app::tabs::{Panels, Tab};
use crate::app::tags::Tags;
use crate::app::themes::ThemeList;
use crate::app::timeline::ScreenClock;
use crate::model::action::{Kill, ProcMismatch, Protection};
use crate::model::host_name::Lookups;
use crate::model::process::ProcessId;
use crate::model::snapshot::{Needs, SourceInfo};
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::store::Store;

/// The settings that the app starts with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the data comes from, and what may be done to it.
    pub source: SourceInfo,
    /// The size of the terminal: columns, rows.
    pub size: (u16, u16),
    /// The filter to start with; must parse.
    pub filter: String,
    /// What the user sets; kept up to date with what is changed on the screen.
    pub settings: SharedSettings,
    /// The file that the screen saves its settings to; `None` where there is none.
    pub config_path: Option<DisplayText>,
    /// The themes to choose from.
    pub themes: ThemeList,
    /// Processes that are never sent a signal.
    pub protected: Vec<(u32, Protection)>,
    /// Why nothing can be acted on at all.
    pub doubt: Option<ProcMismatch>,
    /// Whether the user has the right to close sockets, as far as that can be told in advance.
    pub may_close: bool,
    /// Local time minus UTC, in seconds.
    pub utc_offset_seconds: i32,
}

impl Config {
    /// What holds unless the user says otherwise, for a screen of `size` on `source`.
    pub fn new(source: SourceInfo, size: (u16, u16)) -> Self {
        Self {
            source,
            size,
            filter: String::new(),
            settings: SharedSettings::default(),
            config_path: None,
            themes: ThemeList::default(),
            protected: Vec::new(),
            doubt: None,
            may_close: true,
            utc_offset_seconds: 0,
        }
    }
}

/// Whether data comes, and if not, why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SourceStatus {
    /// The first sample is being taken.
    #[default]
    Starting,
    /// Samples come.
    Flowing,
    /// The last attempt failed; the data on the screen is older.
    Failed(DisplayText),
    /// The recording is at its end.
    Ended,
}

/// All that the screen shows; the main thread's only state.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own")]
pub struct App {
    /// The data.
    pub store: Store,
    /// The settings it was started with; those that a key changes are kept up to date.
    pub config: Config,
    /// The tab that is or was last shown.
    pub tab: Tab,
    /// What the main part of the screen is.
    pub page: Page,
    /// What lies over the main part.
    pub mode: Mode,
    /// The panels of the tabs.
    pub panels: Panels,
    /// The rows that the user has tagged.
    pub tags: Tags,
    /// From when on lowest and highest count, after `R`.
    counted_from: Option<Timestamp>,
    /// What came of actions over several targets.
    acted: Acted,
    /// Messages.
    pub notices: Notices,
    /// Whether the user holds the screen still.
    pub frozen: bool,
    /// Which moment is shown.
    timeline: ScreenClock,
    /// The deltas that came while the screen stood still.
    pub pending: PendingDeltas,
    /// What enters and leaves each state.
    pub flows: Flows,
    /// How many processes hold sockets.
    pub processes: usize,
    /// Whether the machine has had very few sockets for as long as the history goes back.
    is_small: bool,
    /// The user has hidden the inspector.
    hides_inspector: bool,
    /// Another sample follows the last one at once.
    is_overtaken: bool,
    /// Whether data comes.
    pub source_status: SourceStatus,
    /// The place of the chosen theme in the list.
    theme: usize,
    /// How many questions were asked; with the size of the window it tells one from another.
    questions: u64,
    /// The KILL that is offered, because a process did not end when asked to.
    offer: Option<Kill>,
    /// The processes that were sent a signal last, and when: as of the last sample before that.
    signalled: VecDeque<(ProcessId, Timestamp)>,
    /// When the first sample was taken.
    first_sample: Option<Timestamp>,
    key_history: KeyHistory,
    filters: InputHistory,
    recent: RecentCommands,
    saved: SavedEntries,
    /// Where Esc leads from the connections of a group.
    entered_from: Option<ReturnPoint>,
    asked: Needs,
    /// The peers whose names were asked for last.
    names_asked: Vec<IpAddr>,
    work: PendingWork,
    /// Sampling is to stop: too much waits.
    pause: bool,
    dirty: bool,
}

impl App {
    /// An app with no data yet.
    pub fn new(config: Config) -> Self {
        let store = Store::new(config.source.clone());
        let mut panels = Panels::new(&config, &store);
        panels.change_tables(|table| table.columns_mut().show_peer_names(config.settings.lookups == Lookups::On));
        panels.set_up(&config.settings.screen);
        let mut app = Self {
            panels,
            tab: Tab::default(),
            page: Page::default(),
            mode: Mode::default(),
            tags: Tags::default(),
            counted_from: None,
            acted: Acted::default(),
            notices: Notices::default(),
            frozen: false,
            timeline: ScreenClock::default(),
            pending: PendingDeltas::default(),
            flows: Flows::default(),
            processes: 0,
            is_small: false,
            hides_inspector: false,
            is_overtaken: false,
            source_status: SourceStatus::default(),
            theme: config.themes.first,
            questions: 0,
            offer: None,
            signalled: VecDeque::new(),
            first_sample: None,
            key_history: KeyHistory::default(),
            filters: InputHistory::default(),
            recent: RecentCommands::default(),
            saved: SavedEntries::default(),
            entered_from: None,
            asked: Needs::default(),
            names_asked: Vec::new(),
            work: PendingWork::default(),
            pause: false,
            dirty: true,
            config,
            store,
        };
        app.mark_saved();
        app
    }

    /// Takes in `msg` and says what is to be done about it at once. Work on many rows is only started: the event loop has
    /// [`background`](Self::background) do it.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        let mut effects = match msg {
            Msg::Key(event) => self.on_key(event, None),
            Msg::EarlyKey(event, early) => self.on_key(event, Some(early)),
            Msg::Mouse(event) => self.on_mouse(event),
            Msg::Click(target) => self.on_click(target),
            Msg::Paste(text) => self.on_paste(&text),
            Msg::Resize(width, height) => self.on_resize((width, height)),
            Msg::Delta(delta) => self.on_delta(*delta),
            Msg::PastDelta(delta) => self.on_past_delta(*delta),
            Msg::Span(span) => self.on_span(span),
            Msg::Moment(moment) => self.on_moment(*moment),
            Msg::MomentFailed(number, why) => self.on_moment_failed(number, &why),
            Msg::PastEnded => self.on_past_ended(),
            Msg::HostFindings(found) => {
                self.panels.findings.note_by_host(*found);
                Vec::new()
            }
            Msg::Kill(report) => self.on_kill_report(&report),
            Msg::Close(report) => self.on_close_report(&report),
            Msg::Exported(report) => self.on_export_report(&report),
            Msg::SourceFailed(why) => self.on_source_failed(why),
            Msg::SourceEnded => self.on_source_ended(),
            Msg::HostNames(names) => self.on_host_names(names),
            Msg::NoticeRead(number) => self.on_notice_read(number),
            Msg::ConfigRead(read) => self.on_config_read(read),
            Msg::ConfigWritten(written) => self.on_config_written(written),
            Msg::Notice(text) => self.say(NoticeLevel::Plain, text),
        };
        effects.extend(self.go_on());
        effects
    }

    /// Whether the screen differs from what was last drawn; asking resets it. Not while one sample follows another at once.
    pub fn take_dirty(&mut self) -> bool {
        !self.is_overtaken && std::mem::take(&mut self.dirty)
    }

    /// The question that waits for an answer, as it is on the screen.
    pub fn question(&self) -> Option<ShownQuestion> {
        let question = ShownQuestion { number: self.questions, screen: self.config.size };
        self.mode.is_dialog().then_some(question)
    }

    /// The KILL that is offered now.
    pub fn offer(&self) -> Option<&Kill> {
        self.offer.as_ref()
    }

    fn on_resize(&mut self, size: (u16, u16)) -> Vec<Effect> {
        self.config.size = size;
        if let Mode::ConfirmAll(confirm) = &mut self.mode {
            confirm.begin(size);
        }
        self.panels.change_tables(|table| table.columns_mut().forget_widths());
        self.refresh_panel();
        self.dirty = true;
        Vec::new()
    }

    fn on_notice_read(&mut self, number: u64) -> Vec<Effect> {
        self.dirty |= self.notices.remove(number);
        Vec::new()
    }

    fn say(&mut self, level: NoticeLevel, text: impl Into<DisplayText>) -> Vec<Effect> {
        let text = text.into();
        // Few name a key.
        let text = if text.as_str().contains('‹') {
            self.config.settings.keymap.fill(text.as_str()).as_str().into()
        } else {
            text
        };
        self.notices.push(level, text);
        self.dirty = true;
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
