//! What a dialog that acts shows in a window of a certain size: the whole target of the action, or a refusal.
//!
//! A pure function of the question and the size, which drawing and confirming both use: what is not on the screen
//! cannot be confirmed.

mod all;
pub mod part;

use crate::app::App;
use crate::app::dialog::part::{ALWAYS, DialogEmphasis, DialogPart};
use crate::app::layout::SIZE_MIN;
use crate::app::mode::{Confirm, ConfirmClose, Mode, Stage, TypedWord};
use crate::app::prose::wrap;
use crate::model::action::Signal;
use crate::model::snapshot::SourceKind;
use crate::table::cut::{cells, cut};

/// The widest a dialog is, inside of its border.
const WIDTH_MAX: u16 = 70;
/// The size of the border: cells beside the inside with the gap, and lines above and below it.
const BORDER: (u16, u16) = (4, 2);
/// From this width on the dialog stands apart from the sides of the window.
const APART_WIDTH_MIN: u16 = 60;
/// So much of a command line is shown: some three lines. The process is known without it.
const COMMAND_WIDTH_MAX: u16 = 180;
/// With less room beside the labels nothing can be read.
pub(super) const ROOM_MIN: usize = 16;
/// A line of a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogLine {
    /// What the line is about; empty where the line before goes on.
    pub label: &'static str,
    /// What it says.
    pub text: String,
    /// How much it stands out.
    pub emphasis: DialogEmphasis,
}

/// A dialog as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogView {
    /// The question.
    pub title: String,
    /// The lines.
    pub lines: Vec<DialogLine>,
    /// Cells for the labels.
    pub label_width: u16,
    /// Cells inside of the border.
    pub width: u16,
    /// What stands in the last line instead of the keys.
    pub hint: Option<&'static str>,
    /// Whether all is shown that has to be: else nothing can be confirmed.
    pub is_whole: bool,
}

impl App {
    /// The dialog that is open, as it is drawn; `None` where none is.
    pub fn dialog_view(&self) -> Option<DialogView> {
        match &self.mode {
            Mode::Confirm(confirm) => {
                let parts = self.with_made_up("process", parts(confirm));
                Some(DialogView::of(&title(confirm), &parts, &[], confirm.again, self.config.size))
            }
            Mode::ConfirmClose(confirm) => {
                let parts = [confirm.parts.as_slice(), &word_part(confirm.word.as_ref())].concat();
                let parts = self.with_made_up("socket", parts);
                let apart = ends_apart(confirm);
                Some(DialogView::of("Close this socket?", &parts, &apart, confirm.again, self.config.size))
            }
            Mode::ConfirmAll(confirm) => Some(confirm.view(self.config.size)),
            _ => None,
        }
    }

    /// `parts` of a dialog about a `target`; where that is made up, it says so first of all.
    fn with_made_up(&self, target: &str, mut parts: Vec<DialogPart>) -> Vec<DialogPart> {
        if self.config.source.kind == SourceKind::Synthetic && !parts.is_empty() {
            let text = format!("made-up {target}: nothing of this machine is touched");
            parts.insert(1, DialogPart::always("demo", text, DialogEmphasis::Plain).or("made up"));
        }
        parts
    }
}

/// Cells inside of the border of a dialog in a window of `size`.
pub(super) fn dialog_width(size: (u16, u16)) -> u16 {
    let sides = if size.0 < APART_WIDTH_MIN { BORDER.0 } else { BORDER.0 + 2 };
    size.0.saturating_sub(sides).min(WIDTH_MAX)
}

impl DialogView {
    /// The dialog that asks `title` in a window of `size`. `apart` stands for the first of `parts` where that does not fit
    /// into one line.
    fn of(title: &str, parts: &[DialogPart], apart: &[DialogPart], again: bool, size: (u16, u16)) -> Self {
        let width = dialog_width(size);
        // The last line has the keys.
        let height = usize::from(size.1.saturating_sub(BORDER.1 + 1));
        let label_width = parts.iter().chain(apart).map(|part| cells(part.label)).max().unwrap_or(0) + 1;
        let room = usize::from(width).saturating_sub(label_width);
        let hint = again.then_some("too soon: wait 1 s, press it again");
        let fits = size.0 >= SIZE_MIN.0 && size.1 >= SIZE_MIN.1 && room >= ROOM_MIN;
        let lines = fits.then(|| lines(parts, apart, room, height)).flatten();
        let view = Self {
            title: title.to_owned(),
            lines: Vec::new(),
            label_width: u16::try_from(label_width).unwrap_or(width),
            width,
            hint,
            is_whole: true,
        };
        match lines {
            Some(lines) => Self { lines, ..view },
            None => view.refusing(),
        }
    }

    /// Says that it does not fit.
    pub(super) fn refusing(self) -> Self {
        let text = "this window is too small to show whom it hits, so nothing is done: make the window larger";
        let line = |text| DialogLine { label: "", text, emphasis: DialogEmphasis::Alarm };
        let lines = wrap(text, usize::from(self.width.max(1))).into_iter().map(line).collect();
        Self { lines, label_width: 0, hint: None, is_whole: false, ..self }
    }
}

/// The lines that fit into `height`, the parts that matter least left out; `None` where what has to be there does not fit.
fn lines(parts: &[DialogPart], apart: &[DialogPart], room: usize, height: usize) -> Option<Vec<DialogLine>> {
    let is_wide = apart.is_empty() || parts.first().is_none_or(|first| cells(&first.text) <= room);
    let parts: Vec<&DialogPart> =
        if is_wide { parts.iter().collect() } else { apart.iter().chain(parts.iter().skip(1)).collect() };
    let mut spares: Vec<u8> = parts.iter().map(|part| part.spare).filter(|spare| *spare != ALWAYS).collect();
    spares.sort_unstable();
    loop {
        let least = spares.last().copied().unwrap_or(ALWAYS);
        let kept = || parts.iter().filter(|part| part.spare <= least);
        let whole: Vec<DialogLine> = kept().flat_map(|part| part.lines(&part.text, room)).collect();
        if whole.len() <= height {
            return Some(whole);
        }
        if spares.pop().is_none() {
            let short = kept().flat_map(|part| part.lines(part.short.as_ref().unwrap_or(&part.text), room));
            return Some(short.collect::<Vec<_>>()).filter(|lines| lines.len() <= height);
        }
    }
}

impl DialogPart {
    /// What it says in lines of `room` cells, in as few words as there are if `is_short`.
    pub(super) fn lines_of(&self, is_short: bool, room: usize) -> Vec<DialogLine> {
        let short = self.short.as_ref().filter(|_| is_short);
        self.lines(short.unwrap_or(&self.text), room)
    }

    /// `text` in lines of `room` cells; nothing of it is cut.
    fn lines(&self, text: &str, room: usize) -> Vec<DialogLine> {
        let wrapped = if matches!(self.label, "local" | "remote") { wrap_end(text, room) } else { wrap(text, room) };
        let line =
            |(at, text)| DialogLine { label: if at == 0 { self.label } else { "" }, text, emphasis: self.emphasis };
        wrapped.into_iter().enumerate().map(line).collect()
    }
}

/// A target in lines of `room` cells: words stay whole, and an endpoint that is longer than a line is broken as [`wrap_end`] does.
pub(super) fn wrap_target(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut().filter(|line| cells(line) + 1 + cells(word) <= room) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.extend(wrap_end(word, room)),
        }
    }
    lines
}

/// An endpoint in lines of `room` cells, broken behind a `:` of its address: a port is never torn apart.
fn wrap_end(text: &str, room: usize) -> Vec<String> {
    let (addr, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let last = addr.rfind(':').map_or(0, |colon| colon + 1);
    let tail = if port.is_empty() { addr[last..].to_owned() } else { format!("{}:{port}", &addr[last..]) };
    let groups = addr[..last].split_inclusive(':').chain([tail.as_str()]);
    let mut lines = vec![String::new()];
    for group in groups {
        let line = lines.last().map_or(0, |line| cells(line));
        if line > 0 && line + cells(group) > room {
            lines.push(String::new());
        }
        let mut broken = wrap(group, room).into_iter();
        if let (Some(line), Some(first)) = (lines.last_mut(), broken.next()) {
            line.push_str(&first);
        }
        lines.extend(broken);
    }
    lines
}

fn title(confirm: &Confirm) -> String {
    let signal = confirm.kill().map_or(Signal::Term, |kill| kill.signal);
    match confirm.stage {
        Stage::Ask => format!("Send {signal}?"),
        Stage::AskAgain => format!("Send {signal}: sure?"),
    }
}

/// What there is to say before a signal is sent: whom it hits and what it does, always.
fn parts(confirm: &Confirm) -> Vec<DialogPart> {
    let Some(kill) = confirm.kill() else { return Vec::new() };
    let pid = kill.process.pid;
    let mut parts = vec![
        DialogPart::always("process", format!("{} · pid {pid}", kill.name), DialogEmphasis::Target),
        DialogPart::always("user", confirm.user.clone(), DialogEmphasis::Plain).unless_full(1),
        DialogPart::always("command", cut(confirm.process.command.as_str(), COMMAND_WIDTH_MAX), DialogEmphasis::Plain)
            .unless_full(3),
        DialogPart::always("holds", confirm.holds.clone(), DialogEmphasis::Plain).unless_full(2),
    ];
    parts.extend(
        confirm.cautions.iter().map(|caution| {
            DialogPart::always("caution", caution.sentence(), DialogEmphasis::Alarm).or(caution.label())
        }),
    );
    let about = match confirm.stage {
        Stage::Ask => kill.signal.row().about,
        Stage::AskAgain => "it cannot be caught, and nothing is saved",
    };
    let does = format!("sends {} to pid {pid}", kill.signal);
    parts.push(DialogPart::always("does", format!("{does}: {about}"), DialogEmphasis::Alarm).or(does));
    if confirm.stage == Stage::Ask {
        parts.extend(word_part(confirm.word.as_ref()));
    }
    parts
}

fn word_part(word: Option<&TypedWord>) -> Vec<DialogPart> {
    let part = |word: &TypedWord| {
        DialogPart::always("type", format!("{} and press Enter: {}_", word.wanted, word.typed), DialogEmphasis::Target)
            .or(format!("{} Enter: {}_", word.wanted, word.typed))
    };
    word.map(part).into_iter().collect()
}

/// Both ends on lines of their own, where they do not fit on one.
fn ends_apart(confirm: &ConfirmClose) -> Vec<DialogPart> {
    let end = |label, text: &str| DialogPart::always(label, text, DialogEmphasis::Target);
    let (local, remote) = &confirm.ends;
    let remote = Some(remote).filter(|remote| !remote.is_empty()).map(|remote| end("remote", remote));
    [end("local", local)].into_iter().chain(remote).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_broken_between_groups_and_never_in_its_port() {
        let end = "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:36522";
        for room in 16..60 {
            let lines = wrap_end(end, room);
            assert_eq!(lines.concat(), end);
            assert!(lines.iter().all(|line| cells(line) <= room), "{lines:?}");
            assert!(lines.last().is_some_and(|line| line.ends_with("7348]:36522")), "{lines:?}");
        }
        assert_eq!(wrap_end("10.0.0.7:51234", 16), ["10.0.0.7:51234"]);
    }

    #[test]
    fn what_matters_least_goes_first_and_what_has_to_be_there_never() {
        let parts = [
            DialogPart::always("process", "orders", DialogEmphasis::Target),
            DialogPart::always("command", "a b c d e f", DialogEmphasis::Plain).unless_full(3),
            DialogPart::always("user", "root", DialogEmphasis::Plain).unless_full(1),
            DialogPart::always("does", "sends TERM to pid 7: it may end", DialogEmphasis::Alarm).or("sends TERM to 7"),
        ];
        let labels = |height| {
            let lines = lines(&parts, &[], 16, height)?;
            Some(lines.iter().map(|line| line.label).filter(|label| !label.is_empty()).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(labels(9).as_deref(), Some("process command user does"));
        assert_eq!(labels(5).as_deref(), Some("process user does"));
        assert_eq!(labels(3).as_deref(), Some("process does"));
        assert_eq!(labels(2).as_deref(), Some("process does"));
        assert_eq!(labels(1), None);
    }
}
