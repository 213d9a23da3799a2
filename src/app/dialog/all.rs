//! The question before something is done to all tagged rows: each target on lines of its own, in a list that is scrolled. Nothing
//! can be confirmed before every line of it has been on the screen.

use crate::app::action::Motion;
use crate::app::dialog::part::{DialogEmphasis, DialogPart};
use crate::app::dialog::{DialogLine, DialogView, ROOM_MIN, dialog_width, wrap_target};
use crate::app::layout::SIZE_MIN;
use crate::app::mode::{ConfirmAll, Stage, Targets, TypedWord};
use crate::app::prose::wrap;
use crate::app::scroll::{Scroll, ScrollExtent, page_lines};
use crate::table::cut::cells;
use crate::table::units;

/// With fewer lines for the list nobody reads it.
const LIST_LINES_MIN: usize = 2;
/// Lines of a dialog that are its border and its keys.
const FRAME_LINES: u16 = 3;

/// A dialog about several targets, laid out.
struct AllLayout {
    list: Vec<DialogLine>,
    foot: Vec<DialogLine>,
    /// Lines of the list that are on the screen at the same time.
    height: usize,
    label_width: usize,
    width: u16,
}

impl ConfirmAll {
    /// Scrolls the list on a screen of `size`; answers whether lines are on the screen that were not before.
    pub fn go(&mut self, motion: Motion, size: (u16, u16)) -> bool {
        let Some(layout) = self.layout(size) else { return false };
        self.scroll.go(motion, page_lines(layout.height), layout.extent());
        self.look(&layout)
    }

    /// The dialog is on a screen of another `size`: the list is read from its top.
    pub fn begin(&mut self, size: (u16, u16)) {
        (self.scroll, self.seen) = (Scroll::default(), 0);
        if let Some(layout) = self.layout(size) {
            self.look(&layout);
        }
    }

    fn look(&mut self, layout: &AllLayout) -> bool {
        let (first, end) = (self.scroll.first(), self.scroll.first() + layout.height);
        let has_new = first <= self.seen && end > self.seen;
        if has_new {
            self.seen = end;
        }
        has_new
    }

    /// The dialog on a screen of `size`.
    pub fn view(&self, size: (u16, u16)) -> DialogView {
        let hint = self.again.then_some("too soon: wait 1 s, press it again");
        let view = DialogView {
            title: self.title(),
            lines: Vec::new(),
            label_width: 0,
            width: dialog_width(size),
            hint,
            is_whole: true,
        };
        let Some(layout) = self.layout(size) else { return view.refusing() };
        let first = self.scroll.first();
        let mut lines: Vec<_> = layout.list.iter().skip(first).take(layout.height).cloned().collect();
        let len = layout.list.len();
        if len > layout.height {
            let end = (first + layout.height).min(len);
            let more = if self.seen < len { "PgDn: more" } else { "all seen" };
            let text = format!("{}-{end} of {len} · {more}", first + 1);
            lines.push(DialogLine { label: "lines", text, emphasis: DialogEmphasis::Plain });
        }
        lines.extend(layout.foot);
        let label_width = u16::try_from(layout.label_width).unwrap_or(layout.width);
        DialogView { lines, label_width, is_whole: self.seen >= len, ..view }
    }

    fn title(&self) -> String {
        let count = self.targets.len() as u64;
        match (&self.targets, self.stage) {
            (Targets::Signal(signal, _), Stage::Ask) => {
                format!("Send {signal} to {}?", units::counted(count, "process"))
            }
            (Targets::Signal(signal, _), Stage::AskAgain) => format!("Send {signal} to {count}: sure?"),
            (Targets::Close(_), _) => format!("Close {}?", units::counted(count, "socket")),
        }
    }

    /// `None` where the list has no room.
    fn layout(&self, size: (u16, u16)) -> Option<AllLayout> {
        let width = dialog_width(size);
        let parts = self.parts();
        let labels =
            parts.iter().map(|part| part.label).chain(["targets"]).chain(self.left_out.first().map(|_| "left out"));
        let label_width = labels.map(cells).max().unwrap_or(0) + 1;
        let room = usize::from(width).checked_sub(label_width).filter(|room| *room >= ROOM_MIN)?;
        if size.0 < SIZE_MIN.0 || size.1 < SIZE_MIN.1 {
            return None;
        }
        let list = self.list(room);
        let height = usize::from(size.1.saturating_sub(FRAME_LINES));
        let foot = |is_short: bool| -> Vec<DialogLine> {
            parts.iter().flat_map(|part| part.lines_of(is_short, room)).collect()
        };
        [foot(false), foot(true)].into_iter().find_map(|foot| {
            let free = height.checked_sub(foot.len())?;
            if list.len() <= free {
                return Some(AllLayout { height: list.len(), list: list.clone(), foot, label_width, width });
            }
            // One line says which part of the list is shown.
            let free = free.checked_sub(1).filter(|free| *free >= LIST_LINES_MIN)?;
            Some(AllLayout { height: free, list: list.clone(), foot, label_width, width })
        })
    }

    /// Every target, then what is left out.
    fn list(&self, room: usize) -> Vec<DialogLine> {
        let targets = self.told.iter().enumerate().flat_map(|(at, text)| {
            let label = if at == 0 { "targets" } else { "" };
            labelled(label, wrap_target(text, room), DialogEmphasis::Target)
        });
        let left_out = self.left_out.iter().enumerate().flat_map(|(at, text)| {
            let label = if at == 0 { "left out" } else { "" };
            labelled(label, wrap(text, room), DialogEmphasis::Plain)
        });
        targets.chain(left_out).collect()
    }

    /// What stands below the list.
    fn parts(&self) -> Vec<DialogPart> {
        let cautions = self.cautions.iter().map(|caution| {
            DialogPart::always("caution", caution.sentence(), DialogEmphasis::Alarm).or(caution.label())
        });
        let made_up = self.is_made_up.then(|| {
            let text = "made-up targets: nothing of this machine is touched";
            DialogPart::always("demo", text, DialogEmphasis::Plain).or("made up")
        });
        let mut parts: Vec<_> = made_up.into_iter().chain(cautions).collect();
        let (does, about) = match (&self.targets, self.stage) {
            (Targets::Signal(signal, _), Stage::Ask) => (format!("sends {signal} to each"), signal.row().about),
            (Targets::Signal(signal, _), Stage::AskAgain) => {
                (format!("sends {signal} to each"), "it cannot be caught, and nothing is saved")
            }
            (Targets::Close(_), _) => {
                ("closes each".to_owned(), "its process gets an error, the peer of a connection a RST")
            }
        };
        parts.push(DialogPart::always("does", format!("{does}: {about}"), DialogEmphasis::Alarm).or(does));
        if let (Stage::Ask, Some(TypedWord { wanted, typed })) = (self.stage, &self.word) {
            let text = format!("{wanted} and press Enter: {typed}_");
            parts
                .push(DialogPart::always("type", text, DialogEmphasis::Target).or(format!("{wanted} Enter: {typed}_")));
        }
        parts
    }
}

impl AllLayout {
    const fn extent(&self) -> ScrollExtent {
        ScrollExtent { len: self.list.len(), height: self.height }
    }
}

fn labelled(label: &'static str, lines: Vec<String>, emphasis: DialogEmphasis) -> Vec<DialogLine> {
    let line = |(at, text)| DialogLine { label: if at == 0 { label } else { "" }, text, emphasis };
    lines.into_iter().enumerate().map(line).collect()
}
