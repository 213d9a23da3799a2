//! What would change in the config file, line by line, and the question whether it is to be written.

use crate::app::effect::ConfigWrite;
use crate::app::scroll::Scroll;
use crate::model::text::DisplayText;

/// Lines around a changed one that are shown with it.
const CONTEXT: usize = 2;

/// The question whether the config file is to be written.
#[derive(Debug)]
pub struct SaveConfig {
    /// The file.
    pub path: DisplayText,
    /// What changes, line by line.
    pub diff: Vec<DiffLine>,
    /// Exactly what will be done.
    pub write: ConfigWrite,
    /// Which part of the lines is on the screen.
    pub scroll: Scroll,
}

/// A line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffLine {
    /// What becomes of the line.
    pub change: LineChange,
    /// The line.
    pub text: DisplayText,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineChange {
    /// It stays.
    Stays,
    /// It goes.
    Goes,
    /// It comes.
    Comes,
    /// Here lines that stay are left out.
    WordLeftOut,
}

/// What changes from `old` to `new`, with a few lines around each change. Only lines between the first and the last difference
/// are compared one by one.
pub(super) fn diff(old: &str, new: &str) -> Vec<DiffLine> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut all = Vec::new();
    let (mut a, mut b) = (0, 0);
    let put = |all: &mut Vec<DiffLine>, change, text: &str| all.push(DiffLine { change, text: DisplayText::new(text) });
    while a < old.len() || b < new.len() {
        match (old.get(a), new.get(b)) {
            (Some(before), Some(after)) if before == after => {
                put(&mut all, LineChange::Stays, before);
                (a, b) = (a + 1, b + 1);
            }
            (Some(before), after) => {
                let returns = new[b..].iter().position(|line| line == before).filter(|_| after.is_some());
                match returns {
                    // It comes later: what stands before it is new.
                    Some(lines) if !before.trim().is_empty() || lines < CONTEXT => {
                        new[b..b + lines].iter().for_each(|line| put(&mut all, LineChange::Comes, line));
                        b += lines;
                    }
                    _ => {
                        put(&mut all, LineChange::Goes, before);
                        a += 1;
                    }
                }
            }
            (None, Some(after)) => {
                put(&mut all, LineChange::Comes, after);
                b += 1;
            }
            (None, None) => break,
        }
    }
    near_changes(all)
}

/// Leaves out what is far from every change.
fn near_changes(all: Vec<DiffLine>) -> Vec<DiffLine> {
    let changed: Vec<usize> =
        all.iter().enumerate().filter(|(_, line)| line.change != LineChange::Stays).map(|(at, _)| at).collect();
    let is_near = |at: usize| changed.iter().any(|change| change.abs_diff(at) <= CONTEXT);
    let mut near: Vec<DiffLine> = Vec::new();
    for (at, line) in all.into_iter().enumerate() {
        if is_near(at) {
            near.push(line);
        } else if near.last().is_none_or(|last| last.change != LineChange::WordLeftOut) {
            near.push(DiffLine { change: LineChange::WordLeftOut, text: "…".into() });
        }
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str) -> Vec<String> {
        let sign = |change| match change {
            LineChange::Stays => ' ',
            LineChange::Goes => '-',
            LineChange::Comes => '+',
            LineChange::WordLeftOut => '~',
        };
        diff(old, new).iter().map(|line| format!("{}{}", sign(line.change), line.text)).collect()
    }

    #[test]
    fn what_changes_is_shown_with_a_few_lines_around() {
        assert_eq!(shown("", "a\n"), ["+a"]);
        assert_eq!(shown("1\n2\n3\n4\n5\n", "1\n2\n3\nx\n5\n"), ["~…", " 2", " 3", "-4", "+x", " 5"]);
        assert_eq!(shown("1\n2\n3\n", "1\n2\n2b\n3\n"), [" 1", " 2", "+2b", " 3"]);
        assert_eq!(shown("1\n2\n3\n", "1\n3\n"), [" 1", "-2", " 3"]);
        assert_eq!(shown("1\n", "1\n\n[s]\nk = 1\n"), [" 1", "+", "+[s]", "+k = 1"]);
    }
}
