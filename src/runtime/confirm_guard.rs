//! Which keys do not confirm a question: those that come before the question could be read, or are held down, typed ahead or
//! pasted. Nobody who reads a question and answers it is that fast.

use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind};

use crate::app::msg::{EarlyKey, ShownQuestion};

/// How long a question has to be on the screen before a key confirms it: nobody reads a line faster. A longer time would
/// slow down users who know the dialog.
const READ_TIME: Duration = Duration::from_millis(250);
/// How long after another key a key confirms.
const QUICK_TIME: Duration = Duration::from_millis(250);
/// How long after a key the same one may be its repetition: the longest delay before a held key repeats is 1 s (`kbdrate`
/// of the Linux console; desktops have 0.2 to 0.66 s).
const REPEAT_TIME: Duration = Duration::from_secs(1);

/// Something that came from the terminal.
#[derive(Clone, Debug)]
pub struct TerminalInput {
    /// What.
    pub event: Event,
    /// When it was read.
    pub at: Instant,
    /// Whether it came alone, not together with other keys.
    pub alone: bool,
}

impl TerminalInput {
    /// What one read brought, ready for the queue.
    pub fn of_one_read(events: &mut Vec<Event>) -> impl Iterator<Item = Self> {
        let at = Instant::now();
        let alone = events.iter().filter(|event| matches!(event, Event::Key(_))).count() < 2;
        events.drain(..).map(move |event| Self { event, at, alone })
    }
}

/// Which question is on the screen since when, and which key came last.
#[derive(Debug, Default)]
pub struct ConfirmGuard {
    shown: Option<(ShownQuestion, Instant)>,
    last: Option<(KeyCode, Instant)>,
}

impl ConfirmGuard {
    /// A frame with this question, if any, is on the screen since `now`.
    pub fn frame_drawn(&mut self, question: Option<ShownQuestion>, now: Instant) {
        let is_known = self.shown.map(|(shown, _)| shown) == question;
        if !is_known {
            self.shown = question.map(|question| (question, now));
        }
    }

    /// Another program has used the screen: the question has to be read anew.
    pub fn forget(&mut self) {
        self.shown = None;
    }

    /// Why `key` does not confirm `question`; `None` where it does, or where there is no question.
    pub fn check(&mut self, key: KeyEvent, input: &TerminalInput, question: Option<ShownQuestion>) -> Option<EarlyKey> {
        let last = self.last.replace((key.code, input.at));
        let question = question?;
        let is_read = self
            .shown
            .is_some_and(|(shown, since)| shown == question && input.at.saturating_duration_since(since) >= READ_TIME);
        if !is_read || !input.alone || key.kind == KeyEventKind::Repeat {
            return Some(EarlyKey::QuestionUnread);
        }
        let (code, at) = last?;
        let pause = input.at.saturating_duration_since(at);
        let enough = if code == key.code { REPEAT_TIME } else { QUICK_TIME };
        (pause < enough).then_some(EarlyKey::TypedTooFast)
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use super::*;

    const QUESTION: ShownQuestion = ShownQuestion { number: 1, screen: (80, 24) };

    /// A guard of a screen on which the question is since `at_ms` = 1,000, X having been pressed just before.
    struct Scene {
        begun: Instant,
        guard: ConfirmGuard,
    }

    impl Scene {
        fn new() -> Self {
            let mut scene = Self { begun: Instant::now(), guard: ConfirmGuard::default() };
            assert_eq!(scene.press('X', 990, None), None);
            let now = scene.at(1_000);
            scene.guard.frame_drawn(Some(QUESTION), now);
            scene
        }

        fn at(&self, ms: u64) -> Instant {
            self.begun + Duration::from_millis(ms)
        }

        fn press(&mut self, key: char, ms: u64, question: Option<ShownQuestion>) -> Option<EarlyKey> {
            let event = KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE);
            let input = TerminalInput { event: Event::Key(event), at: self.at(ms), alone: true };
            self.guard.check(event, &input, question)
        }
    }

    #[test]
    fn a_yes_to_what_was_read_is_one() {
        let mut scene = Scene::new();
        assert_eq!(scene.press('y', 1_300, Some(QUESTION)), None);
    }

    #[test]
    fn what_was_typed_before_the_question_could_be_read_is_none() {
        for ms in [991, 1_000, 1_100, 1_249] {
            let mut scene = Scene::new();
            assert_eq!(scene.press('y', ms, Some(QUESTION)), Some(EarlyKey::QuestionUnread), "{ms}");
        }
        // Another question, or the same one in a window of another size, is to be read anew.
        for other in [ShownQuestion { number: 2, ..QUESTION }, ShownQuestion { screen: (80, 25), ..QUESTION }] {
            let mut scene = Scene::new();
            assert_eq!(scene.press('y', 9_000, Some(other)), Some(EarlyKey::QuestionUnread));
            let now = scene.at(9_000);
            scene.guard.frame_drawn(Some(other), now);
            assert_eq!(scene.press('y', 9_100, Some(other)), Some(EarlyKey::QuestionUnread));
            assert_eq!(scene.press('y', 11_000, Some(other)), None);
        }
    }

    #[test]
    fn a_key_that_is_held_down_is_never_a_yes() {
        // Begun before the question, with every delay and rate that keyboards have.
        for (delay, rate) in [(200, 20), (250, 33), (500, 33), (660, 40), (999, 500)] {
            let mut scene = Scene::new();
            assert!(scene.press('y', 995, Some(QUESTION)).is_some());
            for nth in 0..300 {
                assert!(scene.press('y', 995 + delay + nth * rate, Some(QUESTION)).is_some(), "{delay} {rate} {nth}");
            }
        }
        let mut scene = Scene::new();
        let event = KeyEvent::new_with_kind(KeyCode::Char('y'), KeyModifiers::NONE, KeyEventKind::Repeat);
        let input = TerminalInput { event: Event::Key(event), at: scene.at(5_000), alone: true };
        assert_eq!(scene.guard.check(event, &input, Some(QUESTION)), Some(EarlyKey::QuestionUnread));
    }

    #[test]
    fn pasted_text_is_never_a_yes() {
        let mut scene = Scene::new();
        for (nth, key) in (0..2_000).zip("Kxyab y".chars().cycle()) {
            assert!(scene.press(key, 1_000 + nth * 2, Some(QUESTION)).is_some(), "byte by byte");
        }
        let mut events: Vec<Event> =
            "ab".chars().map(|key| Event::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE))).collect();
        assert!(TerminalInput::of_one_read(&mut events).all(|input| !input.alone));
    }
}
