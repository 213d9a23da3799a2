//! The lines of the tab Log: all changes of state, or the connections that have ended, as far as they pass its filter.

use std::collections::VecDeque;

use crate::model::delta::Transition;
use crate::store::Store;
use crate::store::closed::ClosedConnection;
use crate::store::past_rows;
use crate::table::filter::Filter;

/// Asking the filter of one line costs as much as looking at so many rows.
const STEPS_A_LINE: usize = 4;

/// What the lines are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogView {
    /// Every change of state, opening and end.
    #[default]
    Changes,
    /// Connections that have ended, each once, with the reason and what they had come to.
    Closed,
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub enum LogLine<'a> {
    /// A change.
    Change(&'a Transition),
    /// A connection that has ended.
    Closed(&'a ClosedConnection),
}

impl<'a> LogLine<'a> {
    /// What happened; of a connection that has ended, its end.
    pub const fn transition(self) -> &'a Transition {
        match self {
            Self::Change(transition) => transition,
            Self::Closed(closed) => &closed.end,
        }
    }

    /// Whether it passes `filter`: as the socket was before it or after it.
    fn passes(self, filter: &Filter, store: &Store) -> bool {
        match self {
            Self::Change(transition) => {
                let rows = [past_rows::before(store, transition), past_rows::after(store, transition)];
                rows.iter().flatten().any(|row| filter.matches(row, store))
            }
            Self::Closed(closed) => filter.matches(&closed.row(), store),
        }
    }
}

impl LogView {
    /// How many lines are kept, whatever the filter.
    pub fn len(self, store: &Store) -> usize {
        match self {
            Self::Changes => store.log().entries().len(),
            Self::Closed => store.closed().entries().len(),
        }
    }

    /// How many lines there were in all; those that are not kept were dropped as the oldest.
    pub fn total(self, store: &Store) -> u64 {
        match self {
            Self::Changes => store.log().total(),
            Self::Closed => store.closed().total(),
        }
    }

    /// The number of the oldest line that is kept.
    fn first(self, store: &Store) -> u64 {
        self.total(store) - self.len(store) as u64
    }

    /// The line with this number since the start, while it is kept.
    pub fn get(self, store: &Store, number: u64) -> Option<LogLine<'_>> {
        let place = usize::try_from(number.checked_sub(self.first(store))?).ok()?;
        match self {
            Self::Changes => store.log().entries().get(place).map(LogLine::Change),
            Self::Closed => store.closed().entries().get(place).map(LogLine::Closed),
        }
    }
}

/// Which lines are shown: those of a view that pass a filter, newest first.
#[derive(Debug, Default)]
pub(super) struct LogList {
    view: LogView,
    filter: Filter,
    /// The numbers of those that passed, ascending; of no use without a filter.
    passed: VecDeque<u64>,
    /// The next number to be asked.
    next: u64,
    /// How many lines there were when it was last brought up to date.
    total: u64,
}

impl LogList {
    pub(super) const fn view(&self) -> LogView {
        self.view
    }

    pub(super) const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Shows other lines.
    pub(super) fn set(&mut self, view: LogView, filter: Filter) {
        *self = Self { view, filter, ..Self::default() };
    }

    /// How many lines there are.
    pub(super) fn len(&self, store: &Store) -> usize {
        if self.filter.is_empty() { self.view.len(store) } else { self.passed.len() }
    }

    /// The number of line `line`, the newest being line 0.
    pub(super) fn number(&self, store: &Store, line: usize) -> Option<u64> {
        let len = self.len(store);
        let back = len.checked_sub(line + 1)?;
        if self.filter.is_empty() { Some(self.view.first(store) + back as u64) } else { self.passed.get(back).copied() }
    }

    /// The line with the number `number`.
    pub(super) fn position(&self, store: &Store, number: u64) -> Option<usize> {
        let place = if self.filter.is_empty() {
            usize::try_from(number.checked_sub(self.view.first(store))?)
                .ok()
                .filter(|place| *place < self.len(store))?
        } else {
            self.passed.binary_search(&number).ok()?
        };
        self.len(store).checked_sub(place + 1)
    }

    /// Takes note of what came and what is no longer kept.
    pub(super) fn refresh(&mut self, store: &Store) {
        self.total = self.view.total(store);
        let first = self.view.first(store);
        while self.passed.front().is_some_and(|number| *number < first) {
            self.passed.pop_front();
        }
        self.next = self.next.max(first);
    }

    /// Whether lines are still to be asked whether they pass the filter.
    pub(super) fn is_busy(&self) -> bool {
        !self.filter.is_empty() && self.next < self.total
    }

    /// Asks as many lines as `steps` allow; answers how many of them passed.
    pub(super) fn advance(&mut self, store: &Store, steps: &mut usize) -> usize {
        let before = self.passed.len();
        while self.is_busy() && *steps > 0 {
            *steps = steps.saturating_sub(STEPS_A_LINE);
            if self.view.get(store, self.next).is_some_and(|line| line.passes(&self.filter, store)) {
                self.passed.push_back(self.next);
            }
            self.next += 1;
        }
        self.passed.len() - before
    }
}
