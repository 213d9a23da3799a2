//! Where the panels are: a pure function of the size and of what is open, used to draw and to find what was clicked.

use ratatui::layout::Rect;

use crate::app::panels::PanelParts;
use crate::app::tabs::{TABS, Tab, TabRow};

/// Below this many columns and rows there is only a line that says so.
pub const SIZE_MIN: (u16, u16) = (40, 10);
/// So many programs that something is wrong with have a line at the top, at most.
pub const PROBLEM_LINES_MAX: usize = 3;
/// From this height on there is room for the log below the table.
const ROOMY_HEIGHT_MIN: u16 = 34;
/// How many TCP states and protocols the panel of the states can show: eleven states of TCP, and UDP.
pub const STATE_LINES: u16 = 12;
/// From this width on the graphs of the flow stand beside the states.
const FLOW_WIDTH_MIN: u16 = 100;
/// On a machine with few sockets they stand below the line of states from this width on.
const GRAPHS_WIDTH_MIN: u16 = 60;
/// On a machine with few sockets the table keeps so many lines, and the graphs get the rest.
const SMALL_TABLE_HEIGHT: u16 = 12;
/// The graphs get no higher than this.
const GRAPHS_HEIGHT_MAX: u16 = 26;
/// The least height of the graphs of the flow: a title and a line for each.
const FLOW_HEIGHT_MIN: u16 = 5;

/// From this height on there is a line below the filter line.
const NOTE_HEIGHT_MIN: u16 = 13;

/// What fills the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScreenView {
    /// A tab.
    Tab(Tab),
    /// The detail view.
    Detail,
}

impl ScreenView {
    /// What it has around its main part.
    const fn parts(self) -> PanelParts {
        match self {
            Self::Tab(tab) => tab.row().parts,
            Self::Detail => PanelParts { columns: false, summary: false, states: false, log: false },
        }
    }
}

/// How the states are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatesForm {
    /// Not at all.
    Hidden,
    /// As one line of words, with small trends where there is room.
    Line,
    /// As bars and trends, a line each.
    Panel,
}

/// What is to be shown, as far as that decides where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScreenContent {
    /// How many programs something is wrong with: a line each, as far as there is room.
    pub culprits: usize,
    /// The machine has had very few sockets for as long as conntop remembers: the graphs get the room of the table.
    pub is_small: bool,
    /// There is a bar of the whole time of a recording, or of the past.
    pub has_time_bar: bool,
    /// Cells that the inspector takes beside the table; 0: it is not shown.
    pub inspector_width: u16,
}

/// The panels, from top to bottom. A panel that is not shown has no height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The title: host, source, counts, coverage.
    pub header: Rect,
    /// The bar of the whole time.
    pub time_bar: Rect,
    /// What is wrong.
    pub headline: Rect,
    /// The states.
    pub states: Rect,
    /// How they are shown.
    pub states_form: StatesForm,
    /// The graphs of what moves.
    pub flow: Rect,
    /// The tabs and the title of the table.
    pub tabs: Rect,
    /// What is true of the whole table below: limits and counters of the kernel.
    pub summary: Rect,
    /// The headings of the columns.
    pub columns: Rect,
    /// The rows.
    pub body: Rect,
    /// The log panel, with its title line.
    pub log: Rect,
    /// What there is to say of the row under the cursor, beside headings, rows and log.
    pub inspector: Rect,
    /// The filter line while it is typed.
    pub filter: Rect,
    /// The keys, or a notice.
    pub footer: Rect,
}

impl Layout {
    /// The panels on a screen of `size`; `None` if it is too small.
    pub fn of(size: (u16, u16), view: ScreenView, filter_open: bool, content: &ScreenContent) -> Option<Self> {
        let (width, height) = size;
        if width < SIZE_MIN.0 || height < SIZE_MIN.1 {
            return None;
        }
        let roomy = height >= 16;
        let parts = view.parts();
        // On a low screen the bar, which has the clock, takes the place of the line of states.
        let form = if content.has_time_bar && !roomy { StatesForm::Hidden } else { states_form(height, parts) };
        let mut top = Stack { width, at: 0 };
        let header = top.take(u16::from(roomy));
        let time_bar = top.take(u16::from(content.has_time_bar));
        let headline = top.take(headline_height(height, content.culprits));
        // The line itself, and where there is room one below it that says what is wrong in it.
        let filter_height = match filter_open {
            false => 0,
            true if height < NOTE_HEIGHT_MIN => 1,
            true => 2,
        };
        let log_height = log_height(size, parts);
        let below =
            [u16::from(roomy || view == ScreenView::Detail), u16::from(parts.summary), u16::from(parts.columns)];
        let others = top.at + below.iter().sum::<u16>() + log_height + filter_height + 1;
        let free = height.saturating_sub(others);
        let (states, flow) = graphs(&mut top, (form, free), content.is_small);
        let mut layout = Self {
            header,
            time_bar,
            headline,
            states,
            states_form: form,
            flow,
            tabs: top.take(below[0]),
            summary: top.take(below[1]),
            columns: top.take(below[2]),
            body: Rect::ZERO,
            log: Rect::ZERO,
            inspector: Rect::ZERO,
            filter: Rect::ZERO,
            footer: Rect::new(0, height - 1, width, 1),
        };
        layout.filter = Rect::new(0, height - 1 - filter_height, width, filter_height);
        layout.log = Rect::new(0, layout.filter.y - log_height, width, log_height);
        layout.body = Rect::new(0, top.at, width, layout.log.y - top.at);
        layout.make_room_for_inspector(content.inspector_width);
        Some(layout)
    }

    /// Headings, rows and log give up the cells at their right.
    fn make_room_for_inspector(&mut self, width: u16) {
        if width == 0 || self.columns.height == 0 {
            return;
        }
        let x = self.body.width.saturating_sub(width);
        let (y, bottom) = (self.columns.y, self.log.bottom());
        self.inspector = Rect { x, y, width, height: bottom - y };
        for rect in [&mut self.columns, &mut self.body, &mut self.log] {
            rect.width = x;
        }
    }
}

/// The places of states and flow, where `free` lines are left for them and the table.
fn graphs(top: &mut Stack, (form, free): (StatesForm, u16), is_small: bool) -> (Rect, Rect) {
    let spare = if is_small { free.saturating_sub(SMALL_TABLE_HEIGHT) } else { 0 };
    match form {
        StatesForm::Hidden => (Rect::ZERO, Rect::ZERO),
        StatesForm::Line => {
            let states = top.take(1);
            let spare = spare.saturating_sub(1).min(GRAPHS_HEIGHT_MAX);
            let has_flow = top.width >= GRAPHS_WIDTH_MIN && spare >= FLOW_HEIGHT_MIN;
            (states, top.take(if has_flow { spare } else { 0 }))
        }
        StatesForm::Panel => {
            let both = top.take(panel_height(free).max(spare.min(GRAPHS_HEIGHT_MAX)));
            if top.width < FLOW_WIDTH_MIN {
                return (both, Rect::ZERO);
            }
            let half = both.width / 2;
            (Rect { width: half, ..both }, Rect { x: half, width: both.width - half, ..both })
        }
    }
}

/// A line for each program that something is wrong with: the worst three on a classic terminal already.
fn headline_height(height: u16, culprits: usize) -> u16 {
    let most = match height {
        ..16 => 1,
        16..22 => 2,
        22.. => PROBLEM_LINES_MAX,
    };
    u16::try_from(culprits.clamp(1, most)).unwrap_or(1)
}

struct Stack {
    width: u16,
    at: u16,
}

impl Stack {
    fn take(&mut self, height: u16) -> Rect {
        let rect = Rect::new(0, self.at, self.width, height);
        self.at += height;
        rect
    }
}

/// The same at every width, so that a wider window never has fewer rows.
const fn states_form(height: u16, parts: PanelParts) -> StatesForm {
    match height {
        _ if !parts.states => StatesForm::Hidden,
        28.. => StatesForm::Panel,
        _ => StatesForm::Line,
    }
}

/// The height of the panel of the states, its title included, where `free` lines are left for it and the table.
const fn panel_height(free: u16) -> u16 {
    match free {
        ..30 => 7,
        30..40 => 9,
        40.. => STATE_LINES + 1,
    }
}

/// The log panel takes part of what is left below a table of a readable height.
const fn log_height((_, height): (u16, u16), parts: PanelParts) -> u16 {
    match height {
        _ if !parts.log => 0,
        0..ROOMY_HEIGHT_MIN => 0,
        ROOMY_HEIGHT_MIN..46 => 6,
        46..60 => 9,
        60.. => 13,
    }
}

/// Cells that the border of a box takes beside its inside: the border and a blank at each side.
const POPUP_SIDES: u16 = 4;
/// Lines that the border of a box takes.
const POPUP_RULES: u16 = 2;

/// A box in the middle of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Popup {
    /// With its border.
    pub frame: Rect,
    /// Within its border.
    pub inside: Rect,
}

/// A box with `width` by `height` cells inside, or as many as `screen` has room for.
pub fn popup(screen: Rect, width: u16, height: u16) -> Popup {
    let width = width.saturating_add(POPUP_SIDES).min(screen.width);
    let height = height.saturating_add(POPUP_RULES).min(screen.height);
    let frame = Rect::new((screen.width - width) / 2, (screen.height - height) / 2, width, height);
    let inside = Rect {
        x: frame.x + POPUP_SIDES / 2,
        y: frame.y + POPUP_RULES / 2,
        width: width.saturating_sub(POPUP_SIDES),
        height: height.saturating_sub(POPUP_RULES),
    };
    Popup { frame, inside }
}

/// A tab's place in the line of tabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TabPlace {
    /// The tab.
    pub tab: Tab,
    /// The first column of its label.
    pub x: u16,
    /// The width of its label.
    pub width: u16,
    /// What is written beside the number; empty where there is no room for it.
    pub title: &'static str,
}

/// Where the tabs stand in a line of `width` that also holds a title of `title_width`: with titles, closer together or
/// shortened if need be, else the numbers of all and the title of the active one.
pub fn tab_places(width: u16, title_width: u16, active: Tab) -> Vec<TabPlace> {
    let fits = |places: &Vec<TabPlace>| {
        let end = places.last().map_or(0, |place| place.x + place.width);
        end + title_width + 2 <= width
    };
    let short = || place_tabs(1, |row| row.short);
    let all = [2, 1].into_iter().map(|gap| place_tabs(gap, |row| row.title)).chain([short()]).find(fits);
    all.unwrap_or_else(|| place_tabs(2, |row| if row.tab == active { row.title } else { "" }))
}

fn place_tabs(gap: u16, title_of: impl Fn(&TabRow) -> &'static str) -> Vec<TabPlace> {
    let mut x = 1;
    let place = |row: &TabRow| {
        let title = title_of(row);
        let width = if title.is_empty() { 1 } else { 2 + u16::try_from(title.len()).unwrap_or(0) };
        let place = TabPlace { tab: row.tab, x, width, title };
        x += width + gap;
        place
    };
    TABS.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views() -> impl Iterator<Item = ScreenView> {
        TABS.iter().map(|row| ScreenView::Tab(row.tab)).chain([ScreenView::Detail])
    }

    /// Nothing special, what takes most room at the top, and an inspector.
    fn contents() -> impl Iterator<Item = ScreenContent> {
        let few = ScreenContent { is_small: true, ..ScreenContent::default() };
        let past = ScreenContent { has_time_bar: true, culprits: 9, ..ScreenContent::default() };
        [
            past,
            ScreenContent { culprits: 9, ..ScreenContent::default() },
            few,
            ScreenContent { inspector_width: 38, ..few },
        ]
        .into_iter()
    }

    #[test]
    fn panels_fill_the_screen_without_overlap_at_every_size() {
        for (width, height) in (1..=220).step_by(7).flat_map(|width| (1..=80).map(move |height| (width, height))) {
            let views = || views().flat_map(|view| [(view, false), (view, true)]);
            for ((view, filter), content) in contents().flat_map(|content| views().map(move |view| (view, content))) {
                let Some(layout) = Layout::of((width, height), view, filter, &content) else {
                    assert!(width < SIZE_MIN.0 || height < SIZE_MIN.1);
                    continue;
                };
                let is_below = layout.states_form == StatesForm::Line && layout.flow.height > 0;
                let below_the_states = if is_below { layout.flow } else { Rect { y: layout.tabs.y, ..Rect::ZERO } };
                let panels = [
                    layout.header,
                    layout.time_bar,
                    layout.headline,
                    layout.states,
                    below_the_states,
                    layout.tabs,
                    layout.summary,
                    layout.columns,
                    layout.body,
                    layout.log,
                    layout.filter,
                    layout.footer,
                ];
                let mut at = 0;
                for panel in panels.into_iter().filter(|panel| panel.height > 0) {
                    assert_eq!(panel.y, at, "{width}x{height} {view:?} {layout:?}");
                    at += panel.height;
                }
                assert_eq!(at, height);
                assert!(layout.body.height >= 4, "{width}x{height} {view:?} {layout:?}");
                let Layout { states, flow, inspector, .. } = layout;
                assert!(!states.intersects(flow) && flow.right() <= width, "{width}x{height} {layout:?}");
                assert!(flow.height == 0 || flow.height >= FLOW_HEIGHT_MIN, "{width}x{height} {layout:?}");
                assert!([layout.columns, layout.body, layout.log].iter().all(|rect| !rect.intersects(inspector)));
            }
        }
    }

    #[test]
    fn a_classic_terminal_has_a_line_of_states_and_a_large_one_graphs_and_the_log() {
        let busy = ScreenContent { culprits: 5, ..ScreenContent::default() };
        let at = |size| Layout::of(size, ScreenView::Tab(Tab::Connections), false, &busy).expect("large enough");
        assert_eq!((at((80, 24)).states_form, at((80, 24)).headline.height), (StatesForm::Line, 3));
        assert_eq!((at((80, 24)).body.height, at((80, 24)).flow.height), (16, 0));
        let large = at((120, 40));
        assert_eq!((large.states_form, large.body.height, large.log.height), (StatesForm::Panel, 20, 6));
        assert_eq!((large.states, large.flow), (Rect::new(0, 4, 60, 7), Rect::new(60, 4, 60, 7)));
        assert_eq!((at((40, 10)).header.height, at((40, 10)).headline.height, at((40, 10)).body.height), (0, 1, 6));
        for (width, height) in (40..300).flat_map(|width| [10, 24, 28, 40, 60].map(move |height| (width, height))) {
            assert!(at((width + 1, height)).body.height >= at((width, height)).body.height, "{width}x{height}");
        }
        assert!(Layout::of((39, 10), ScreenView::Detail, false, &busy).is_none());
    }

    #[test]
    fn on_a_small_machine_the_graphs_get_the_room_that_the_table_does_not_need() {
        let small = ScreenContent { is_small: true, ..ScreenContent::default() };
        let at = |size| Layout::of(size, ScreenView::Tab(Tab::Connections), false, &small).expect("large enough");
        assert_eq!((at((80, 24)).flow.height, at((80, 24)).body.height), (6, 12));
        assert_eq!((at((120, 40)).flow.height, at((120, 40)).body.height), (17, 12));
    }

    #[test]
    fn tabs_shrink_to_short_names_and_to_numbers_when_the_title_needs_the_room() {
        let titles =
            |width, title_width| tab_places(width, title_width, Tab::Remotes).into_iter().map(|place| place.title);
        assert!(titles(130, 30).eq(TABS.iter().map(|row| row.title)));
        assert!(titles(80, 15).eq(TABS.iter().map(|row| row.short)), "names at 80 columns");
        let narrow = tab_places(80, 40, Tab::Remotes);
        assert!(narrow.iter().all(|place| place.title.is_empty() != (place.tab == Tab::Remotes)));
    }
}
