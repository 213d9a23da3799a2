//! The panels: one for each tab. [`TABS`](crate::app::tabs::TABS) is the one table of them; everything else asks the [`Panel`].

pub mod cell;
pub mod connections;
pub mod findings;
pub mod folded;
pub mod groups;
pub mod log;
pub mod network;
pub mod states;
pub mod table;

use std::net::IpAddr;

use ratatui::layout::{Position, Rect};

use crate::app::Config;
use crate::app::action::Motion;
use crate::app::clock::time_of_day;
use crate::app::panels::table::SortedTable;
use crate::app::scroll::ScrollPosition;
use crate::app::selection::Selected;
use crate::app::summary::SummaryPart;
use crate::app::tags::{Tag, Tags};
use crate::diagnosis::finding::Severity;
use crate::model::snapshot::Needs;
use crate::model::socket::SocketId;
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::table::filter::Filter;

/// What is said where no row is under the cursor.
pub const NO_CELL: &str = "there is no cell to filter by here";

/// What fills the main part of the screen: its state, and how it answers.
pub trait Panel {
    /// How much of how much is shown, which filter, which order.
    fn title(&self, context: &PanelContext<'_>) -> String;

    /// Which part of its list is on the screen.
    fn position(&self, context: &PanelContext<'_>) -> ScrollPosition;

    /// Where its list is; the whole of the panel unless it says otherwise.
    fn list_area(&self, context: &PanelContext<'_>) -> Option<Rect> {
        context.body
    }

    /// The line of its list that is under the cursor; `None` in an empty list.
    fn cursor_line(&self) -> Option<usize>;

    /// What is under the cursor.
    fn selected(&self) -> Selected;

    /// Whether the user picked what is under the cursor. Only what was picked may be acted on.
    fn is_picked(&self) -> bool;

    /// Picks what is under the cursor.
    fn pick(&mut self);

    /// Moves the cursor.
    fn go(&mut self, motion: Motion, context: &PanelContext<'_>);

    /// Moves what is on the screen by so many lines; nothing is picked by that.
    fn wheel(&mut self, lines: isize, context: &PanelContext<'_>) {
        let motion = if lines > 0 { Motion::Down } else { Motion::Up };
        (0..lines.abs()).for_each(|_| self.go(motion, context));
    }

    /// The same for what is at `at`, where the panel has several parts.
    fn wheel_at(&mut self, _at: Position, lines: isize, context: &PanelContext<'_>) {
        self.wheel(lines, context);
    }

    /// `at`, a cell of the body, was clicked; answers whether what is there was picked before, so that it is to be opened.
    fn click(&mut self, at: Position, context: &PanelContext<'_>) -> bool;

    /// What Enter leads to.
    fn open(&self, context: &PanelContext<'_>) -> OpenTarget;

    /// Brings rows, cursor and widths up to date with the store and the size of the screen.
    fn refresh(&mut self, context: &PanelContext<'_>);

    /// Switches following on or off; answers what it is now. `None`: rows do not change places here.
    fn toggle_follow(&mut self) -> Option<bool> {
        None
    }

    /// The filter that its rows have passed; `None` where none is heeded.
    fn filter(&self) -> Option<&Filter> {
        None
    }

    /// Another filter is in force.
    fn set_filter(&mut self, _filter: Filter) {}

    /// Its own filter, for which the filter line is here; `None` where the one in force everywhere applies, or none.
    fn own_filter(&self) -> Option<&Filter> {
        None
    }

    /// Has another filter of its own.
    fn set_own_filter(&mut self, _filter: Filter) {}

    /// Its table, if it is one with columns.
    fn table(&self) -> Option<&dyn SortedTable> {
        None
    }

    /// Its table, to change.
    fn table_mut(&mut self) -> Option<&mut dyn SortedTable> {
        None
    }

    /// The term of a filter that passes what has the value of the chosen cell; an error is a sentence that says why there is none.
    fn cell_term(&self, _context: &PanelContext<'_>) -> Result<String, String> {
        Err(NO_CELL.to_owned())
    }

    /// What tags the row under the cursor; `None` where it is no row of its own.
    fn tag_under_cursor(&self) -> Option<Tag> {
        None
    }

    /// Whether `tag` is of a row that this table can show.
    fn can_have(&self, _tag: Tag) -> bool {
        false
    }

    /// The tags of all rows that pass the filter, `most` at the most; else how many there are.
    fn tags_of_all(&self, _store: &Store, _most: usize) -> Result<Vec<Tag>, usize> {
        Ok(Vec::new())
    }

    /// Which of `tags` are of rows of this table that are gone, as far as it can tell now.
    fn gone(&self, _tags: &Tags) -> Vec<Tag> {
        Vec::new()
    }

    /// Shows what the selected line stands for below it; where Enter would lead, if no more can be shown. `None` where lines cannot
    /// be unfolded.
    fn unfold(&mut self, _context: &PanelContext<'_>) -> Option<OpenTarget> {
        None
    }

    /// Hides what is below the selected line again; answers whether lines can be folded here.
    fn fold(&mut self, _context: &PanelContext<'_>) -> bool {
        false
    }

    /// What it needs beside the sockets, added to `needs`.
    fn add_needs(&self, _needs: &mut Needs, _context: &PanelContext<'_>) {}

    /// The addresses on the screen that could have a name, from top to bottom.
    fn peers(&self, _context: &PanelContext<'_>) -> Vec<IpAddr> {
        Vec::new()
    }

    /// What is true of the whole table, for the line above it.
    fn summary(&self, _store: &Store) -> Vec<SummaryPart> {
        Vec::new()
    }

    /// How bad the worst of what it lists is: it colours the name of the tab.
    fn severity(&self) -> Option<Severity> {
        None
    }

    /// Shows another span of time.
    fn next_span(&mut self) {}

    /// Another tab is shown: what is large and can be made anew may go.
    fn leave(&mut self) {}
}

/// Where Enter leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenTarget {
    /// Enter leads nowhere.
    Nothing,
    /// To the details of a socket.
    Details(SocketId),
    /// To the connections that pass this filter.
    Filtered(String),
    /// Enter leads nowhere, for this reason.
    Refused(&'static str),
}

/// What a panel looks at.
#[derive(Clone, Copy)]
pub struct PanelContext<'a> {
    /// The data.
    pub store: &'a Store,
    /// The size of the screen, the local time.
    pub config: &'a Config,
    /// Where the panel is; `None` on a screen that is too small.
    pub body: Option<Rect>,
}

impl PanelContext<'_> {
    /// How many lines the panel has on the screen.
    pub fn height(&self) -> usize {
        self.body.map_or(1, |body| usize::from(body.height))
    }

    /// How many cells the panel has on the screen.
    pub fn width(&self) -> u16 {
        self.body.map_or(self.config.size.0, |body| body.width)
    }

    /// The line of the panel that `at` is in.
    pub fn row_of(&self, at: Position) -> Option<usize> {
        self.body.filter(|body| body.contains(at)).map(|body| usize::from(at.y - body.y))
    }

    /// The local time of day of `at`.
    pub fn time_of_day(&self, at: Timestamp) -> String {
        time_of_day(self.store.wall_of(at), self.config.utc_offset_seconds)
    }
}

/// What a tab has around its panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a part of the screen of its own")]
pub struct PanelParts {
    /// Headings of columns.
    pub columns: bool,
    /// A line that is true of the whole table.
    pub summary: bool,
    /// The counts of the states, where there is room.
    pub states: bool,
    /// The log, where there is room.
    pub log: bool,
}
