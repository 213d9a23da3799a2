//! Where the panels are: a pure function of the size and of what is open, used to draw and to find what was clicked.

use ratatui::layout::Rect;

use crate::app::panels::PanelParts;
use crate::app::tabs::{TABS, Tab, TabRow};

/// Below this many columns and rows there is only a line that says so.
pub const SIZE_MIN: (u16, u16) = (40, 10);
/// From this height on there is room for two lines about what is wrong, and for the log below the table.
const ROOMY_HEIGHT_MIN: u16 = 34;
/// How many TCP states and protocols the histogram shows: eleven states of TCP, and UDP.
pub const STATE_LINES: u16 = 12;

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
    /// As two lines of words.
    Words,
    /// As bars in one column.
    OneColumn,
    /// As bars in two columns.
    TwoColumns,
}

/// The panels, from top to bottom. A panel that is not shown has no height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The title: host, source, counts, coverage.
    pub header: Rect,
    /// What is wrong.
    pub headline: Rect,
    /// The states.
    pub states: Rect,
    /// How they are shown.
    pub states_form: StatesForm,
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
    /// The filter line while it is typed.
    pub filter: Rect,
    /// The keys, or a notice.
    pub footer: Rect,
}

impl Layout {
    /// The panels on a screen of `size`; `None` if it is too small.
    pub fn of(size: (u16, u16), view: ScreenView, filter_open: bool) -> Option<Self> {
        let (width, height) = size;
        if width < SIZE_MIN.0 || height < SIZE_MIN.1 {
            return None;
        }
        let roomy = width >= 60 && height >= 16;
        let parts = view.parts();
        let form = states_form(size, parts);
        let mut top = Stack { width, at: 0 };
        let mut layout = Self {
            header: top.take(u16::from(roomy)),
            headline: top.take(if height >= ROOMY_HEIGHT_MIN { 2 } else { 1 }),
            states: top.take(states_height(form)),
            states_form: form,
            tabs: top.take(u16::from(roomy || view == ScreenView::Detail)),
            summary: top.take(u16::from(parts.summary)),
            columns: top.take(u16::from(parts.columns)),
            body: Rect::ZERO,
            log: Rect::ZERO,
            filter: Rect::ZERO,
            footer: Rect::new(0, height - 1, width, 1),
        };
        let filter_height = u16::from(filter_open);
        let log_height = log_height(size, parts);
        layout.filter = Rect::new(0, height - 1 - filter_height, width, filter_height);
        layout.log = Rect::new(0, layout.filter.y - log_height, width, log_height);
        layout.body = Rect::new(0, top.at, width, layout.log.y - top.at);
        Some(layout)
    }
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

const fn states_form((width, height): (u16, u16), parts: PanelParts) -> StatesForm {
    match (width, height) {
        _ if !parts.states => StatesForm::Hidden,
        (100.., 28..) => StatesForm::TwoColumns,
        (60.., 44..) => StatesForm::OneColumn,
        (60.., 18..) => StatesForm::Words,
        _ => StatesForm::Hidden,
    }
}

const fn states_height(form: StatesForm) -> u16 {
    match form {
        StatesForm::Hidden => 0,
        StatesForm::Words => 2,
        StatesForm::OneColumn => STATE_LINES + 1,
        StatesForm::TwoColumns => STATE_LINES / 2 + 1,
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
        end + title_width + 4 <= width
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

    #[test]
    fn panels_fill_the_screen_without_overlap_at_every_size() {
        for (width, height) in (1..=220).step_by(7).flat_map(|width| (1..=80).map(move |height| (width, height))) {
            for (view, filter) in views().flat_map(|view| [(view, false), (view, true)]) {
                let Some(layout) = Layout::of((width, height), view, filter) else {
                    assert!(width < SIZE_MIN.0 || height < SIZE_MIN.1);
                    continue;
                };
                let panels = [
                    layout.header,
                    layout.headline,
                    layout.states,
                    layout.tabs,
                    layout.summary,
                    layout.columns,
                    layout.body,
                    layout.log,
                    layout.filter,
                    layout.footer,
                ];
                let mut at = 0;
                for panel in panels {
                    assert_eq!(panel.y, at, "{width}x{height} {view:?} {layout:?}");
                    at += panel.height;
                }
                assert_eq!(at, height);
                assert!(layout.body.height >= 4, "{width}x{height} {view:?} {layout:?}");
            }
        }
    }

    #[test]
    fn a_classic_terminal_keeps_words_and_a_large_one_shows_bars_and_the_log() {
        let at = |size| Layout::of(size, ScreenView::Tab(Tab::Connections), false).expect("large enough");
        assert_eq!((at((80, 24)).states_form, at((80, 24)).body.height), (StatesForm::Words, 17));
        assert_eq!((at((120, 40)).states_form, at((120, 40)).body.height), (StatesForm::TwoColumns, 21));
        assert_eq!(at((120, 40)).log.height, 6);
        assert_eq!((at((40, 10)).header.height, at((40, 10)).body.height), (0, 7));
        assert!(Layout::of((39, 10), ScreenView::Detail, false).is_none());
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
