//! Lines of events on their way to a reader that may be slow. A reader that stands still must not stop the samples, and memory has
//! an end: the oldest lines are dropped, and a line says in their place how many are missing.

use std::collections::VecDeque;
use std::io::{self, Write};

use crate::model::time::Timestamp;
use crate::report::watch::LostLines;

/// So many bytes wait for the reader: some 10,000 lines of NDJSON.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// A pipe that takes anything takes so much without a wait (`PIPE_BUF`, `pipe`(7)).
const PIECE_LEN: usize = 4_096;

/// What was not written yet.
#[derive(Debug)]
pub(super) struct PendingLines {
    lines: VecDeque<PendingLine>,
    bytes: usize,
    bytes_max: usize,
    /// How much of the first line is written.
    written: usize,
    lost: Option<LostLines>,
}

#[derive(Debug)]
struct PendingLine {
    /// The sample that it is of.
    at: Timestamp,
    text: Vec<u8>,
}

impl Default for PendingLines {
    fn default() -> Self {
        Self { lines: VecDeque::new(), bytes: 0, bytes_max: BYTES_MAX, written: 0, lost: None }
    }
}

impl PendingLines {
    /// Whether all is written.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.lost.is_none()
    }

    /// Whether a line of `len` bytes pushes none out.
    pub(super) fn has_room(&self, len: usize) -> bool {
        self.bytes + len <= self.bytes_max || self.lines.is_empty()
    }

    /// Adds a line, with its end, of the sample at `at`. Where there is no room for it the oldest lines go that are not begun.
    pub(super) fn push(&mut self, at: Timestamp, text: Vec<u8>) {
        self.bytes += text.len();
        self.lines.push_back(PendingLine { at, text });
        let begun = usize::from(self.written > 0);
        while self.bytes > self.bytes_max {
            let Some(dropped) = self.lines.remove(begun) else { return };
            self.bytes -= dropped.text.len();
            let lost = self.lost.get_or_insert(LostLines { count: 0, from: dropped.at, to: dropped.at });
            lost.count += 1;
            lost.to = dropped.at;
        }
    }

    /// Writes to `out` as long as `takes_more` says that this does not have to wait. `gap` makes the line that says what was dropped.
    pub(super) fn write(
        &mut self,
        out: &mut impl Write,
        takes_more: impl Fn() -> bool,
        gap: impl Fn(LostLines) -> Vec<u8>,
    ) -> io::Result<()> {
        while takes_more() {
            if self.written == 0
                && let Some(lost) = self.lost.take()
            {
                let text = gap(lost);
                self.bytes += text.len();
                self.lines.push_front(PendingLine { at: lost.to, text });
            }
            let Some(line) = self.lines.front() else { break };
            let end = line.text.len().min(self.written + PIECE_LEN);
            out.write_all(&line.text[self.written..end])?;
            self.written = end;
            if end == line.text.len() {
                self.bytes -= end;
                self.written = 0;
                self.lines.pop_front();
            }
            out.flush()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn lines(bytes_max: usize) -> PendingLines {
        PendingLines { bytes_max, ..PendingLines::default() }
    }

    fn gap(lost: LostLines) -> Vec<u8> {
        format!("gap {} {}-{}\n", lost.count, lost.from.0, lost.to.0).into_bytes()
    }

    /// What is written while `pieces` more pieces are taken.
    fn taken(pending: &mut PendingLines, pieces: usize) -> String {
        let (mut out, left) = (Vec::new(), Cell::new(pieces));
        let takes_more = || left.replace(left.get().saturating_sub(1)) > 0;
        pending.write(&mut out, takes_more, gap).expect("a vector takes all");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn lines_go_out_in_their_order_as_the_reader_takes_them() {
        let mut pending = lines(100);
        for nth in 0..3 {
            pending.push(Timestamp(nth), format!("line {nth}\n").into_bytes());
        }
        assert_eq!(taken(&mut pending, 0), "");
        assert_eq!(taken(&mut pending, 2), "line 0\nline 1\n");
        assert_eq!(taken(&mut pending, 9), "line 2\n");
        assert!(pending.is_empty() && pending.bytes == 0);
    }

    #[test]
    fn the_oldest_are_dropped_and_a_gap_stands_in_their_place() {
        let mut pending = lines(21);
        for nth in 0..10 {
            pending.push(Timestamp(nth), format!("line {nth}\n").into_bytes());
            assert!(pending.bytes <= 21);
        }
        assert_eq!(taken(&mut pending, 9), "gap 7 0-6\nline 7\nline 8\nline 9\n");
        assert!(pending.is_empty() && pending.bytes == 0);
    }

    #[test]
    fn a_line_that_is_begun_is_ended() {
        let mut pending = lines(2 * PIECE_LEN);
        let long = [vec![b'x'; PIECE_LEN + 100], b"\n".to_vec()].concat();
        pending.push(Timestamp(0), long.clone());
        assert_eq!(taken(&mut pending, 1).len(), PIECE_LEN);
        for nth in 1..1_000 {
            pending.push(Timestamp(nth), format!("line {nth}\n").into_bytes());
        }
        let rest = taken(&mut pending, usize::MAX);
        let (end, behind) = rest.split_once('\n').expect("lines");
        assert_eq!(end.len(), 100);
        assert!(behind.starts_with("gap ") && behind.ends_with("line 999\n"), "{behind}");
        assert_eq!(behind.matches("gap").count(), 1);
    }

    #[test]
    fn a_line_longer_than_all_the_room_is_told_as_missing() {
        let mut pending = lines(10);
        pending.push(Timestamp(3), vec![b'x'; 11]);
        assert_eq!(taken(&mut pending, 9), "gap 1 3-3\n");
    }
}
