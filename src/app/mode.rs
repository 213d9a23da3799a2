//! What is open above the tabs, and with it which keys work: one value, never a set of flags.

use std::sync::Arc;

use crate::app::binding::KeyScope;
use crate::app::config_diff::SaveConfig;
use crate::app::detail::page::DetailPage;
use crate::app::dialog::part::DialogPart;
use crate::app::effect::Effect;
use crate::app::explain::Explained;
use crate::app::filter_edit::FilterEdit;
use crate::app::help_page::HelpPage;
use crate::app::input::InputLine;
use crate::app::menu::{Menu, MenuChoice};
use crate::app::scroll::Scroll;
use crate::app::tabs::Tab;
use crate::app::tags::Tag;
use crate::model::action::{Caution, Kill, Signal};
use crate::model::closing::Close;
use crate::model::process::Process;

/// What the main part of the screen is.
#[derive(Debug, Default)]
pub enum Page {
    /// The tab.
    #[default]
    Tab,
    /// Everything about one connection.
    Detail(Box<DetailPage>),
}

/// Where the connections of a group were entered from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnPoint {
    /// The tab that was shown.
    pub tab: Tab,
    /// The filter that was in force.
    pub filter: String,
}

/// What lies over the page.
#[derive(Debug, Default)]
pub enum Mode {
    /// Nothing.
    #[default]
    Normal,
    /// The filter is being typed.
    Filter(FilterEdit),
    /// Something is being chosen.
    Menu(Menu),
    /// A signal is about to be sent.
    Confirm(Confirm),
    /// A socket is about to be closed.
    ConfirmClose(ConfirmClose),
    /// The config file is about to be written.
    SaveConfig(SaveConfig),
    /// Something is about to be done to all tagged rows.
    ConfirmAll(ConfirmAll),
    /// The name of a file is being typed.
    Export(ExportEdit),
    /// A time to go to is being typed.
    GoTo(TimeEdit),
    /// An explanation.
    Explain {
        /// What is explained.
        explained: Explained,
        /// Which part of it is on the screen.
        scroll: Scroll,
    },
    /// The help.
    Help(HelpPage),
}

impl Mode {
    /// Where keys are looked up.
    pub fn scope(&self, page: &Page) -> KeyScope {
        match (self, page) {
            (Self::Normal, Page::Tab) => KeyScope::Table,
            (Self::Normal, Page::Detail(_)) => KeyScope::Detail,
            (Self::Filter(_), _) => KeyScope::Filter,
            (Self::Menu(Menu { choice: MenuChoice::Action { .. }, .. }), _) => KeyScope::Palette,
            (Self::Menu(Menu { choice: MenuChoice::Columns, .. }), _) => KeyScope::Columns,
            (Self::Menu(_), _) => KeyScope::Menu,
            (Self::Export(_), _) => KeyScope::FileName,
            (Self::GoTo(_), _) => KeyScope::Time,
            (
                Self::Confirm(Confirm { stage: Stage::Ask, word: Some(_), .. })
                | Self::ConfirmAll(ConfirmAll { stage: Stage::Ask, word: Some(_), .. })
                | Self::ConfirmClose(ConfirmClose { word: Some(_), .. }),
                _,
            ) => KeyScope::ConfirmWord,
            (
                Self::Confirm(Confirm { stage: Stage::AskAgain, .. })
                | Self::ConfirmAll(ConfirmAll { stage: Stage::AskAgain, .. }),
                _,
            ) => KeyScope::ConfirmKill,
            (Self::Confirm(_) | Self::ConfirmAll(ConfirmAll { targets: Targets::Signal(..), .. }), _) => {
                KeyScope::Confirm
            }
            (Self::ConfirmClose(_) | Self::ConfirmAll(_), _) => KeyScope::ConfirmClose,
            (Self::SaveConfig(_), _) => KeyScope::ConfirmSave,
            (Self::Explain { .. }, _) => KeyScope::Explain,
            (Self::Help(HelpPage { is_typing: true, .. }), _) => KeyScope::HelpSearch,
            (Self::Help(_), _) => KeyScope::Help,
        }
    }

    /// Whether the data stands still while this is open, so that an action hits what was read.
    pub const fn holds_still(&self) -> bool {
        match self {
            Self::Menu(menu) => match menu.choice {
                MenuChoice::Owner { .. }
                | MenuChoice::Socket(_)
                | MenuChoice::Signal { .. }
                | MenuChoice::SignalToAll(_) => true,
                MenuChoice::Column
                | MenuChoice::Columns
                | MenuChoice::Folding
                | MenuChoice::Text(_)
                | MenuChoice::Lines(_)
                | MenuChoice::Theme
                | MenuChoice::Action { .. } => false,
            },
            _ => self.is_dialog(),
        }
    }

    /// Whether a key would act on the machine now, or write a file.
    pub const fn is_dialog(&self) -> bool {
        matches!(self, Self::Confirm(_) | Self::ConfirmClose(_) | Self::ConfirmAll(_) | Self::SaveConfig(_))
    }

    /// The word that has to be typed first, where one has.
    pub const fn word_mut(&mut self) -> Option<&mut TypedWord> {
        match self {
            Self::Confirm(Confirm { stage: Stage::Ask, word, .. })
            | Self::ConfirmAll(ConfirmAll { stage: Stage::Ask, word, .. })
            | Self::ConfirmClose(ConfirmClose { word, .. }) => word.as_mut(),
            _ => None,
        }
    }
}

/// The last question before a signal is sent.
#[derive(Debug)]
pub struct Confirm {
    /// Exactly what will be done.
    pub effect: Effect,
    /// The process that gets the signal.
    pub process: Arc<Process>,
    /// The user of the process, by name or number.
    pub user: String,
    /// The sockets that the process holds, in words.
    pub holds: String,
    /// What one should know of the process.
    pub cautions: Vec<Caution>,
    /// The word that has to be typed first, where one has.
    pub word: Option<TypedWord>,
    /// How far the question got.
    pub stage: Stage,
    /// A yes came before the question could be read: it has to come again.
    pub again: bool,
}

/// A word that has to be typed before something is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedWord {
    /// The word.
    pub wanted: &'static str,
    /// What is typed of the word.
    pub typed: String,
}

impl TypedWord {
    /// The word that the first of `cautions` with one wants.
    pub fn of(cautions: &[Caution]) -> Option<Self> {
        let wanted = cautions.iter().find_map(|caution| caution.word())?;
        Some(Self { wanted, typed: String::new() })
    }

    /// Whether the word is typed.
    pub fn is_typed(&self) -> bool {
        self.typed == self.wanted
    }
}

impl Confirm {
    /// The kill that the effect carries.
    pub fn kill(&self) -> Option<&Kill> {
        match &self.effect {
            Effect::Kill(kill) => Some(kill),
            _ => None,
        }
    }

    /// Whether a second yes, by another key, is needed.
    pub fn needs_second(&self) -> bool {
        self.kill().is_some_and(|kill| kill.signal == Signal::Kill)
    }
}

/// The question before a socket is closed.
#[derive(Debug)]
pub struct ConfirmClose {
    /// Exactly what will be done.
    pub effect: Effect,
    /// Our end and the other one, for a screen on which they do not fit on one line; the other empty where there is none.
    pub ends: (String, String),
    /// What is to be known of the socket.
    pub parts: Vec<DialogPart>,
    /// What one should know of who is cut off.
    pub cautions: Vec<Caution>,
    /// The word that has to be typed first, where one has.
    pub word: Option<TypedWord>,
    /// A yes came before the question could be read: it has to come again.
    pub again: bool,
}

/// What is done to each target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// It is sent this signal.
    Signal(Signal, Vec<Kill>),
    /// It is closed.
    Close(Vec<Close>),
}

impl Targets {
    /// How many there are.
    pub const fn len(&self) -> usize {
        match self {
            Self::Signal(_, kills) => kills.len(),
            Self::Close(closes) => closes.len(),
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The question before something is done to several targets.
#[derive(Debug)]
pub struct ConfirmAll {
    /// Exactly what will be done.
    pub targets: Targets,
    /// Each target in words, in the same order.
    pub told: Vec<String>,
    /// What was tagged and is left out, and why.
    pub left_out: Vec<String>,
    /// What one should know of some of them.
    pub cautions: Vec<Caution>,
    /// The word that has to be typed first, where one has.
    pub word: Option<TypedWord>,
    /// The targets are made up: it says so.
    pub is_made_up: bool,
    /// How far the question got.
    pub stage: Stage,
    /// A yes came before the question could be read: it has to come again.
    pub again: bool,
    /// Which part of the list is on the screen.
    pub scroll: Scroll,
    /// How many lines of the list have been on the screen, from its top without a gap.
    pub seen: usize,
}

impl ConfirmAll {
    /// The question about `targets`, which `told` says in words.
    pub fn new(targets: Targets, told: Vec<String>, left_out: Vec<String>, mut cautions: Vec<Caution>) -> Self {
        let mut seen = Vec::new();
        cautions.retain(|caution| {
            !seen.contains(caution) && {
                seen.push(*caution);
                true
            }
        });
        let word = TypedWord::of(&cautions);
        let (stage, scroll) = (Stage::Ask, Scroll::default());
        Self { targets, told, left_out, cautions, word, is_made_up: false, stage, again: false, scroll, seen: 0 }
    }

    /// Whether a second yes, by another key, is needed.
    pub const fn needs_second(&self) -> bool {
        matches!(self.targets, Targets::Signal(Signal::Kill, _))
    }

    /// What is done once it is confirmed.
    pub fn effects(self) -> Vec<Effect> {
        match self.targets {
            Targets::Signal(_, kills) => kills.into_iter().map(Effect::Kill).collect(),
            Targets::Close(closes) => vec![Effect::CloseAll(closes)],
        }
    }
}

/// The name of a file while it is typed.
#[derive(Debug)]
pub struct ExportEdit {
    /// The line.
    pub line: InputLine,
    /// The rows whose sockets are written.
    pub tags: Vec<Tag>,
    /// What is wrong with the name.
    pub error: Option<&'static str>,
}

/// A time while it is typed.
#[derive(Debug, Default)]
pub struct TimeEdit {
    /// The line.
    pub line: InputLine,
    /// What is wrong with the time.
    pub error: Option<String>,
}

/// How far a question got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Asked once.
    Ask,
    /// Asked for the second time (KILL only).
    AskAgain,
}
