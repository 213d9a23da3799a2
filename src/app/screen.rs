//! What is on the screen: where it is, what is selected, and the panel that shows it.

use ratatui::layout::Position;

use crate::app::App;
use crate::app::layout::{Layout, PROBLEM_LINES_MAX, ScreenContent, ScreenView};
use crate::app::mode::{Mode, Page};
use crate::app::panels::{Panel, PanelContext};
use crate::app::scroll::ScrollPosition;
use crate::app::selection::Selected;
use crate::app::summary::SummaryPart;
use crate::model::address_text::both_ends;
use crate::model::socket::SocketId;
use crate::model::time::Timestamp;
use crate::store::history::trend::ChartSpan;
use crate::store::row::SocketRow;
use crate::table::cut::cells;
use crate::table::units;

/// What is said instead of acting on a row that nobody picked.
const NOT_PICKED: &str = "no row is picked: pick one first, with ‹down›, ‹up› or a click";

/// From this width on there is room for words about the tagged rows.
const TAGGED_WIDTH_MIN: u16 = 100;

impl App {
    /// Where the parts of the screen are; `None` on a screen that is too small.
    pub fn layout(&self) -> Option<Layout> {
        let view = match self.page {
            Page::Tab => ScreenView::Tab(self.tab),
            Page::Detail(_) => ScreenView::Detail,
        };
        let content = ScreenContent {
            culprits: self.panels.findings.culprits(PROBLEM_LINES_MAX),
            is_small: self.is_small,
            has_time_bar: self.has_time_bar(),
            inspector_width: self.inspector_width(),
        };
        Layout::of(
            self.config.size,
            view,
            matches!(self.mode, Mode::Filter(_) | Mode::Export(_) | Mode::GoTo(_)),
            &content,
        )
    }

    /// How far back the graphs of the main screen go: as far as there is a history, a quarter of an hour at most.
    pub fn graph_span(&self) -> ChartSpan {
        self.store.history().best_span()
    }

    /// Whether enough is known for a trend over that time to say something: half of it.
    pub fn has_trends(&self) -> bool {
        let ends = self.store.history().samples().front().zip(self.store.history().samples().back());
        ends.is_some_and(|(oldest, newest)| newest.at.since(oldest.at) * 2 >= self.graph_span().length())
    }

    /// How many cells the table has.
    pub(super) fn table_width(&self) -> u16 {
        self.layout().map_or(self.config.size.0, |layout| layout.body.width)
    }

    /// How many lines the main part of the screen has.
    pub(super) fn body_height(&self) -> usize {
        self.layout().map_or(1, |layout| usize::from(layout.body.height))
    }

    /// The panel of the tab.
    pub fn panel(&self) -> &dyn Panel {
        self.panels.of(self.tab)
    }

    /// What the panel of the tab looks at.
    pub fn panel_context(&self) -> PanelContext<'_> {
        let body = self.layout().map(|layout| layout.body);
        PanelContext { store: &self.store, config: &self.config, body }
    }

    /// Does `change` to the panel of the tab.
    pub(super) fn change_panel<T>(&mut self, change: impl FnOnce(&mut dyn Panel, &PanelContext<'_>) -> T) -> T {
        let body = self.layout().map(|layout| layout.body);
        let context = PanelContext { store: &self.store, config: &self.config, body };
        change(self.panels.of_mut(self.tab), &context)
    }

    /// Brings the panel on the screen up to date with its rows, its filter and the size of the screen.
    pub(super) fn refresh_panel(&mut self) {
        let body = self.layout().map(|layout| layout.body);
        let context = PanelContext { store: &self.store, config: &self.config, body };
        self.panels.refresh(self.tab, &context);
        self.clamp_scroll();
    }

    /// Which part of what is longer than the screen is on it: of the page that is read, else of the list of the tab.
    pub fn position(&self) -> ScrollPosition {
        match (self.scroll(), self.scroll_extent()) {
            (Some(scroll), Some(extent)) => ScrollPosition { first: scroll.first(), extent },
            _ => self.panel().position(&self.panel_context()),
        }
    }

    /// The first cell of what the user looks at: the line under the cursor of a list or menu, else the top of what is open. The
    /// terminal's own cursor rests there, which braille displays and screen readers follow.
    pub fn resting_cell(&self) -> Position {
        let Some(layout) = self.layout() else { return Position::default() };
        match (&self.mode, &self.page) {
            (Mode::Menu(menu), _) => self.menu_view(menu).cursor_cell(self.config.size),
            (Mode::Confirm(_) | Mode::ConfirmClose(_) | Mode::Help { .. } | Mode::Explain { .. }, _) => {
                Position::default()
            }
            (_, Page::Detail(_)) => Position::new(layout.body.x, layout.body.y),
            (_, Page::Tab) => {
                let context = self.panel_context();
                let (list, position) = (self.panel().list_area(&context), self.panel().position(&context));
                let list = list.unwrap_or(layout.body);
                let line = self.panel().cursor_line().and_then(|line| line.checked_sub(position.first)).unwrap_or(0);
                Position::new(list.x, list.y.saturating_add(u16::try_from(line).unwrap_or(u16::MAX)))
            }
        }
    }

    /// What is selected on the screen.
    pub fn selected(&self) -> Selected {
        match &self.page {
            Page::Detail(detail) => Selected::Socket(detail.id),
            Page::Tab => self.panel().selected(),
        }
    }

    /// What is selected, if the user picked it: nothing is done to a row that nobody picked.
    pub(super) fn picked(&self) -> Result<Selected, String> {
        let is_picked = match &self.page {
            Page::Detail(_) => true,
            Page::Tab => self.panel().is_picked(),
        };
        if is_picked { Ok(self.selected()) } else { Err(NOT_PICKED.to_owned()) }
    }

    /// The socket `id` as last seen: that of the open details stays when the store forgets it.
    pub(super) fn seen_row(&self, id: SocketId) -> Option<&SocketRow> {
        let known = self.store.rows().find(id).and_then(|index| self.store.rows().get(index));
        known.or(match &self.page {
            Page::Detail(detail) if detail.id == id => detail.row.as_ref(),
            Page::Detail(_) | Page::Tab => None,
        })
    }

    /// The title beside the tabs: `312 of 4,012 · state:close-wait`.
    pub fn title(&self) -> String {
        match &self.page {
            Page::Detail(detail) => {
                let socket = detail.row.as_ref().map(|row| &row.connection.socket);
                socket.map_or_else(String::new, |socket| both_ends(socket, self.store.names()))
            }
            Page::Tab => {
                let title = self.panel().title(&self.panel_context());
                match self.tags_here().count() {
                    0 => title,
                    // On a narrow screen the names of the tabs need the room.
                    count if self.config.size.0 < TAGGED_WIDTH_MIN => {
                        format!("✓{} · {title}", units::count(count as u64))
                    }
                    count => format!("{} tagged · {title}", units::count(count as u64)),
                }
            }
        }
    }

    /// Cells of the title beside the tabs, with a blank at each side.
    pub(super) fn title_width(&self) -> u16 {
        u16::try_from(cells(&self.title()) + 2).unwrap_or(u16::MAX)
    }

    /// The parts of the line above the table on the screen; none where there is no such line.
    pub fn summary(&self) -> Vec<SummaryPart> {
        self.panel().summary(&self.store)
    }

    /// The local time of day of `at`.
    pub fn time_of_day(&self, at: Timestamp) -> String {
        self.panel_context().time_of_day(at)
    }
}
