//! The hand is safe: nothing acts on a row that nobody picked, Esc never moves the cursor, and no key that opened a question,
//! is held down or came too soon answers it.

use super::*;
use crate::app::msg::EarlyKey;
use crate::model::action::Caution;

fn acts(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Kill(_) | Effect::Close(_)))
}

fn escape(app: &mut App) {
    code(app, KeyCode::Esc);
}

fn press_early(app: &mut App, character: char, early: EarlyKey) -> Vec<Effect> {
    app.turn(Msg::EarlyKey(KeyEvent::new(KeyCode::Char(character), KeyModifiers::NONE), early))
}

fn is_picked(app: &App) -> bool {
    app.panels.connections.cursor.is_picked()
}

#[test]
fn escape_clears_a_notice_then_a_filter_and_never_moves_the_cursor() {
    let mut app = three();
    press(&mut app, "jj");
    assert_eq!((selected(&app), is_picked(&app)), (Some(3), true));
    press(&mut app, "K");
    escape(&mut app);
    press(&mut app, "/established");
    enter(&mut app);
    press(&mut app, "E");
    assert!(!notice(&app).is_empty());
    escape(&mut app);
    assert!(notice(&app).is_empty() && !app.panels.connections.view.filter().is_empty(), "only the notice");
    escape(&mut app);
    assert!(app.panels.connections.view.filter().is_empty());
    for _ in 0..3 {
        escape(&mut app);
        assert_eq!((selected(&app), is_picked(&app)), (Some(3), true));
    }
    press(&mut app, "K");
    assert!(matches!(app.mode, Mode::Menu(Menu { choice: MenuChoice::Signal { .. }, .. })), "{:?}", app.mode);
}

#[test]
fn nothing_is_done_to_a_row_that_nobody_picked() {
    for tab in ["1", "2", "3", "4", "6", "7", "8"] {
        for key in ["K", "X"] {
            let mut app = app_on(vec![listener(9, 80).held_by(&[nginx()]), tcp(1).held_by(&[nginx()])]);
            press(&mut app, tab);
            press(&mut app, key);
            app.background(usize::MAX);
            assert!(matches!(app.mode, Mode::Normal), "{tab} {key}: {:?}", app.mode);
            assert!(notice(&app).contains("no row is picked"), "{tab} {key}: {}", notice(&app));
        }
    }
}

type Change = (&'static str, fn(&mut App));

/// Ways in which the list under the cursor becomes another one, none of which picks a row.
const CHANGES: [Change; 9] = [
    ("the row goes", |app| {
        send(app, Delta { removed: vec![removed(2, 101)], ..delta(101) });
        send(app, delta(120));
    }),
    ("it goes while the screen is frozen", |app| {
        press(app, "z");
        send(app, Delta { removed: vec![removed(2, 101)], ..delta(101) });
        send(app, delta(120));
        press(app, "z");
    }),
    ("it is filtered out", |app| {
        press(app, "/lport:1");
        enter(app);
    }),
    ("the filter passes others only", |app| {
        press(app, "/state:listen");
        enter(app);
    }),
    ("the order is turned round", |app| drop(press(app, "I"))),
    ("another tab is shown in between", |app| drop(press(app, "21"))),
    ("the window is made small and large again", |app| {
        app.turn(Msg::Resize(20, 5));
        app.turn(Msg::Resize(100, 30));
    }),
    ("rows come above it", |app| {
        let added = (50..90).map(|cookie| connection(tcp(cookie).held_by(&[nginx()]), 0)).collect();
        send(app, Delta { added, ..delta(101) });
    }),
    ("everything goes", |app| {
        let removed = [1, 2, 3, 4].map(|cookie| removed(cookie, 101)).to_vec();
        send(app, Delta { removed, ..delta(101) });
        send(app, delta(120));
    }),
];

#[test]
fn a_picked_row_is_always_the_one_that_was_picked() {
    for (change, apply) in CHANGES {
        for key in ["K", "X"] {
            let mut app = app_on(
                (1..=3)
                    .map(|cookie| tcp(cookie).held_by(&[nginx()]))
                    .chain([listener(4, 80).held_by(&[nginx()])])
                    .collect(),
            );
            press(&mut app, "j");
            assert_eq!(selected(&app), Some(2));
            apply(&mut app);
            assert!(!is_picked(&app) || selected(&app) == Some(2), "{change}: {:?}", selected(&app));
            let picked = is_picked(&app);
            press(&mut app, key);
            assert_eq!(app.mode.holds_still(), picked, "{change} {key}: {:?} {}", app.mode, notice(&app));
        }
    }
}

#[test]
fn a_row_that_comes_back_into_the_filter_is_picked_again() {
    let mut app = three();
    // The blank ends the word: one that is unfinished is left out as long as nothing passes with it.
    press(&mut app, "j/lport:1 ");
    assert!(!is_picked(&app));
    escape(&mut app);
    assert_eq!((selected(&app), is_picked(&app)), (Some(2), true));
}

#[test]
fn the_key_that_opens_a_question_never_answers_it_however_often_it_comes() {
    for (open, held) in [("j", 'K'), ("j", 'X'), ("jX", 'X'), ("j", '\n'), ("jK", '\n'), ("jK", 'K'), ("jKjjj\ny", 'y')]
    {
        let mut app = three();
        let mut all = Vec::new();
        for character in open.chars().chain(std::iter::repeat_n(held, 50)) {
            let key = if character == '\n' { KeyCode::Enter } else { KeyCode::Char(character) };
            all.extend(code(&mut app, key));
        }
        assert!(!acts(&all), "{open} {held:?}");
    }
}

#[test]
fn a_yes_that_comes_too_soon_is_none_and_is_said_in_the_dialog() {
    for open in ["jX", "jK\n"] {
        for early in [EarlyKey::QuestionUnread, EarlyKey::TypedTooFast] {
            let mut app = three();
            for character in open.chars() {
                code(&mut app, if character == '\n' { KeyCode::Enter } else { KeyCode::Char(character) });
            }
            assert!(press_early(&mut app, 'y', early).is_empty());
            assert!(app.dialog_view().is_some_and(|view| view.hint.is_some() && view.is_whole));
            assert!(acts(&press(&mut app, "y")), "{open} {early:?}");
        }
    }
    // The second yes of KILL as well.
    let mut app = three();
    press(&mut app, "jKjjj");
    enter(&mut app);
    press(&mut app, "y");
    assert!(press_early(&mut app, 'K', EarlyKey::TypedTooFast).is_empty());
    assert!(acts(&press(&mut app, "K")));
    // A no is always one.
    let mut app = three();
    press(&mut app, "jX");
    press_early(&mut app, 'n', EarlyKey::QuestionUnread);
    assert!(matches!(app.mode, Mode::Normal));
}

#[test]
fn every_question_is_another_one_and_so_is_one_in_another_window() {
    let mut app = three();
    let mut seen = Vec::new();
    let mut see = |app: &App| {
        let question = app.question().expect("a question");
        assert!(!seen.contains(&question));
        seen.push(question);
    };
    press(&mut app, "jX");
    see(&app);
    app.turn(Msg::Resize(60, 20));
    see(&app);
    press(&mut app, "nX");
    see(&app);
    press(&mut app, "nKjjj");
    assert!(app.question().is_none(), "a menu acts on nothing");
    enter(&mut app);
    see(&app);
    press(&mut app, "y");
    see(&app);
}

#[test]
fn what_ssh_holds_needs_its_word_typed_for_a_signal_as_for_a_close() {
    let sshd = || process(700, "sshd");
    for open in ["jX", "jK"] {
        let mut app = app_on(vec![listener(1, 22).held_by(&[sshd()]), tcp(2).local("10.0.0.1:22").held_by(&[sshd()])]);
        press(&mut app, open);
        if open == "jK" {
            enter(&mut app);
        }
        let view = app.dialog_view().expect("a dialog");
        let text: Vec<_> = view.lines.iter().map(|line| line.text.as_str()).collect();
        assert!(text.join(" ").contains("cut off"), "{text:?}");
        for wrong in ["y", "yes", "n", "q", "K", "ss"] {
            assert!(!acts(&press(&mut app, wrong)) && !acts(&enter(&mut app)), "{open} {wrong}");
            (0..4).for_each(|_| drop(code(&mut app, KeyCode::Backspace)));
        }
        assert!(app.turn(Msg::Paste("ssh\n".into())).is_empty(), "pasted text types nothing");
        "ssh".chars().for_each(|letter| drop(press_early(&mut app, letter, EarlyKey::QuestionUnread)));
        assert!(!acts(&enter(&mut app)), "typed ahead");
        // Who types a word types fast.
        "ssh".chars().for_each(|letter| drop(press_early(&mut app, letter, EarlyKey::TypedTooFast)));
        app.turn(Msg::Resize(39, 9));
        assert!(!acts(&enter(&mut app)), "nothing of it is on the screen");
        app.turn(Msg::Resize(80, 24));
        assert!(acts(&enter(&mut app)), "{open}");
    }
    assert_eq!(Caution::Ssh.word(), Some("ssh"));
}

#[test]
fn a_row_of_several_owners_asks_which_one() {
    let worker = |pid| process(pid, "worker");
    let sockets = || {
        vec![
            listener(1, 80).held_by(&[worker(11)]),
            listener(2, 80).held_by(&[worker(12)]),
            tcp(3).local("10.0.0.1:40000").remote("10.0.0.9:443").held_by(&[worker(11)]),
            tcp(4).local("10.0.0.1:40001").remote("10.0.0.9:443").held_by(&[worker(12), worker(13)]),
        ]
    };
    for (tab, pids) in [("3", &[11, 12, 13][..]), ("7", &[11, 12, 13])] {
        let mut app = app_on(sockets());
        press(&mut app, tab);
        press(&mut app, "^K");
        let Mode::Menu(Menu { choice: MenuChoice::Owner { owners, .. }, .. }) = &app.mode else {
            panic!("{tab}: {:?} {}", app.mode, notice(&app))
        };
        assert_eq!(owners.iter().map(|owner| owner.id.pid).collect::<Vec<_>>(), pids, "{tab}");
    }
    // A listener's row asks if several hold what listens there; who holds its connections is not among them.
    let mut app = app_on(vec![
        listener(1, 80).held_by(&[worker(11), worker(12)]),
        tcp(5).local("10.0.0.1:80").held_by(&[worker(14)]),
    ]);
    press(&mut app, "4^K");
    let Mode::Menu(Menu { choice: MenuChoice::Owner { owners, .. }, .. }) = &app.mode else {
        panic!("{:?} {}", app.mode, notice(&app))
    };
    assert_eq!(owners.iter().map(|owner| owner.id.pid).collect::<Vec<_>>(), [11, 12]);
}

#[test]
fn a_signal_goes_only_to_who_still_holds_the_socket_of_the_row() {
    let inode = std::num::NonZeroU32::new(77);
    let mut app = app_on(vec![tcp(1).with(move |socket| socket.inode = inode).held_by(&[nginx()])]);
    press(&mut app, "^K");
    enter(&mut app);
    let effects = press(&mut app, "y");
    assert!(
        matches!(effects.as_slice(), [Effect::Kill(kill)] if kill.holding == inode.into_iter().collect::<Vec<_>>())
    );
}
