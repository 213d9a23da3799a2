//! One row of the key table: which keys it has, where it acts, and what it does.

use crate::app::App;
use crate::app::effect::Effect;
use crate::app::keymap::key::KeyStroke;
use crate::app::selection::SelectionKind;

/// What has the keyboard when a key is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyScope {
    /// A tab: a table, the states, the findings or the log.
    Table,
    /// The detail view.
    Detail,
    /// The filter line.
    Filter,
    /// The line in which the name of a file is typed.
    FileName,
    /// The line in which a time is typed.
    Time,
    /// A menu.
    Menu,
    /// The column chooser.
    Columns,
    /// The list of actions, which is filtered by what is typed.
    Palette,
    /// The dialog that asks before a signal is sent.
    Confirm,
    /// A dialog in which a word has to be typed.
    ConfirmWord,
    /// The second dialog, before KILL is sent.
    ConfirmKill,
    /// The dialog that asks before a socket is closed.
    ConfirmClose,
    /// The dialog that asks before the config file is written.
    ConfirmSave,
    /// An explanation.
    Explain,
    /// The help screen.
    Help,
    /// What is typed to find lines of the help.
    HelpSearch,
}

impl KeyScope {
    /// Whether a character types text here, so that no binding can have it as its key.
    pub(crate) const fn takes_text(self) -> bool {
        matches!(
            self,
            Self::Filter | Self::FileName | Self::Time | Self::Palette | Self::ConfirmWord | Self::HelpSearch
        )
    }
}

/// Something that a key can do on some tabs only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanelAbility {
    /// Rows are sorted by a column.
    Sort,
    /// Rows change places, and the selected one can be kept on its line.
    Follow,
    /// Lines stand for several sockets, which can be shown below them.
    Fold,
    /// Charts go back over a span of time.
    Span,
    /// Rows have cells, of which one is chosen.
    Cell,
    /// Rows stand for sockets and can be tagged.
    Tag,
}

impl PanelAbility {
    /// What is said on a tab without it.
    const fn missing(self) -> &'static str {
        match self {
            Self::Sort => "this tab has no columns to sort by",
            Self::Follow => "rows do not change places here",
            Self::Fold => "nothing is folded here: ‹sort-left› and ‹sort-right› sort, ‹group› folds the connections",
            Self::Span => "there are no charts here; ‹tab-states› shows the tab that has them",
            Self::Tag => "rows are tagged on tabs 1 to 4 and 7, where they stand for sockets",
            Self::Cell => "there are no cells to choose here; tabs 1 to 4 and 7 have them",
        }
    }
}

/// One row of the key table.
pub struct Binding {
    /// What it does in one word: unique, and the name by which `[keys]` of the configuration gives it other keys.
    pub action: &'static str,
    /// The keys unless the configuration says otherwise; the footer shows the first.
    pub keys: &'static [KeyStroke],
    /// One or two words, for the footer.
    pub name: &'static str,
    /// What it does, for the help.
    pub help: &'static str,
    /// Where it acts.
    pub on: On,
    pub(crate) run: Run,
    /// Its place in the footer of its scopes: the lowest first; 0 is not in the footer.
    pub footer: u8,
}

/// Where a binding acts.
#[derive(Clone, Copy)]
pub struct On {
    /// What has the keyboard.
    pub scopes: &'static [KeyScope],
    ability: Option<PanelAbility>,
    /// What it does on a tab without that ability but with cells, in place of a refusal.
    instead: Option<fn(&mut App)>,
    selection: Option<OnSelection>,
    changes_machine: bool,
    /// It acts on what is there now: not while the past is shown.
    acts_now: bool,
}

/// The kinds of selection that a binding acts on.
#[derive(Clone, Copy)]
struct OnSelection {
    kinds: &'static [SelectionKind],
    /// What is said where something else is selected.
    otherwise: &'static str,
}

/// What decides whether a binding acts.
#[derive(Clone, Copy, Debug)]
pub struct KeyContext {
    /// What has the keyboard.
    pub scope: KeyScope,
    /// What the tab on the screen can do.
    pub abilities: &'static [PanelAbility],
    /// What can be selected on the screen.
    pub selects: SelectionKind,
    /// Whether the user picked what is selected.
    pub is_picked: bool,
    /// Whether the machine may not be changed (`--read-only`).
    pub is_read_only: bool,
    /// Whether the screen shows the past of a machine that is there.
    pub is_past: bool,
}

/// What is said about a key that would change the machine, with `--read-only`.
pub(crate) const READ_ONLY: &str = "conntop was started with --read-only; start it without to act";

/// What is said about a key that would act on what is there now, while the past is shown.
pub(crate) const PAST: &str = "this is the past: ‹end› goes back to now, where this can be done";

/// Where nothing lies over the page.
pub(in crate::app) const MAIN: &[KeyScope] = &[KeyScope::Table, KeyScope::Detail];

/// Acts in `scopes`, whatever is on the screen.
pub(in crate::app) const fn on(scopes: &'static [KeyScope]) -> On {
    On { scopes, ability: None, instead: None, selection: None, changes_machine: false, acts_now: false }
}

impl On {
    /// The same on those tabs only that have `ability`.
    pub(in crate::app) const fn with(self, ability: PanelAbility) -> Self {
        Self { ability: Some(ability), ..self }
    }

    /// The same, and `run` on tabs that have cells but not the ability.
    pub(in crate::app) const fn or_else_on_cells(self, run: fn(&mut App)) -> Self {
        Self { instead: Some(run), ..self }
    }

    /// What it does in `context` in place of saying that the tab has not the ability.
    pub(in crate::app) fn instead(&self, context: &KeyContext) -> Option<fn(&mut App)> {
        let has = |ability| context.abilities.contains(&ability);
        let lacks = context.scope == KeyScope::Table && self.ability.is_some_and(|ability| !has(ability));
        self.instead.filter(|_| lacks && has(PanelAbility::Cell))
    }

    /// The same where one of `kinds` is selected; elsewhere it says `otherwise`.
    pub(in crate::app) const fn selected(self, kinds: &'static [SelectionKind], otherwise: &'static str) -> Self {
        Self { selection: Some(OnSelection { kinds, otherwise }), ..self }
    }

    /// The same, unless the machine may not be changed.
    pub(in crate::app) const fn changing_machine(self) -> Self {
        Self { changes_machine: true, ..self }
    }

    /// The same, unless the screen shows the past.
    pub(in crate::app) const fn acting_now(self) -> Self {
        Self { acts_now: true, ..self }
    }

    /// Why it does not act in `context`, one of its scopes; `None` where it does.
    pub(crate) fn refusal(&self, context: &KeyContext) -> Option<&'static str> {
        if !self.is_allowed(context.is_read_only) {
            return Some(READ_ONLY);
        }
        if self.acts_now && context.is_past {
            return Some(PAST);
        }
        // That nothing is picked is told before it.
        if let Some(on) = self.selection.filter(|on| context.is_picked && !on.kinds.contains(&context.selects)) {
            return Some(on.otherwise);
        }
        // The details are no tab.
        let has = |ability| context.scope != KeyScope::Table || context.abilities.contains(&ability);
        self.ability.filter(|ability| !has(*ability)).map(PanelAbility::missing)
    }

    /// Whether it acts in `context` once something is picked.
    pub fn acts(&self, context: &KeyContext) -> bool {
        self.scopes.contains(&context.scope) && self.refusal(&KeyContext { is_picked: true, ..*context }).is_none()
    }

    /// Whether it acts on some tabs, or on some kinds of rows only.
    pub const fn is_restricted(&self) -> bool {
        self.ability.is_some() || self.selection.is_some()
    }

    /// Whether it may act at all.
    pub const fn is_allowed(&self, is_read_only: bool) -> bool {
        !(self.changes_machine && is_read_only)
    }
}

/// What a binding does.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// Changes the app and nothing else.
    Change(fn(&mut App)),
    /// Also asks the runtime for something.
    Ask(fn(&mut App) -> Vec<Effect>),
    /// Changes nothing on the machine and leads out of what is open.
    Back(fn(&mut App)),
    /// Says yes to a dialog: not taken where it is pressed too soon.
    Confirm(fn(&mut App) -> Vec<Effect>),
}

impl Binding {
    /// Whether it changes nothing and leads out of what is open.
    pub const fn leads_back(&self) -> bool {
        matches!(self.run, Run::Back(_))
    }

    /// Whether it says yes to a dialog.
    pub(crate) const fn confirms(&self) -> bool {
        matches!(self.run, Run::Confirm(_))
    }

    /// Runs it; answers what is to be done outside of the app.
    pub(crate) fn run(&self, app: &mut App) -> Vec<Effect> {
        match self.run {
            Run::Change(run) | Run::Back(run) => {
                run(app);
                Vec::new()
            }
            Run::Ask(run) | Run::Confirm(run) => run(app),
        }
    }
}
