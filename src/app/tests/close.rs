//! Closing one socket: the row that was read is the one that is hit.

use super::*;
use crate::app::mode::ConfirmClose;
use crate::model::action::ProcMismatch;
use crate::model::closing::{CLOSE_NEEDS, Close, CloseOutcome, CloseRefusal, CloseReport};

fn dialog(app: &App) -> (Close, String) {
    let Mode::ConfirmClose(ConfirmClose { effect: Effect::Close(close), parts, .. }) = &app.mode else {
        panic!("{:?}: {}", app.mode, notice(app))
    };
    let lines: Vec<_> = parts.iter().map(|part| format!("{}: {}", part.label, part.text)).collect();
    (close.clone(), lines.join("\n"))
}

fn cookie(effects: &[Effect]) -> Option<u64> {
    let [Effect::Close(close)] = effects else { panic!("{effects:?}") };
    close.socket.id.cookie()
}

#[test]
fn the_dialog_shows_the_socket_and_what_happens_to_both_ends_and_does_exactly_that() {
    let mut app = app_on(vec![
        tcp(1).local("10.0.0.7:51234").remote("10.1.0.1:5432").state(TcpState::CloseWait).queues(20_001, 300),
        tcp(2),
    ]);
    press(&mut app, "^X");
    let (close, text) = dialog(&app);
    for part in
        ["tcp 10.0.0.7:51234 -> 10.1.0.1:5432", "CLOSE_WAIT for", "stuck reader", "unread", "ECONNABORTED", "RST"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(close.socket.id, id(1));
    assert_eq!(press(&mut app, "y"), [Effect::Close(close)]);
    assert!(matches!(app.mode, Mode::Normal));
}

#[test]
fn the_row_that_was_read_is_hit_however_rows_move() {
    let mut app = app_on((1..=6).map(|cookie| tcp(cookie).held_by(&[nginx()])).collect());
    press(&mut app, "jjX");
    let (chosen, _) = dialog(&app);
    // Rows come above it and go, the order is turned round by what is found, and the chosen one goes as well.
    let added = (20..40).map(|cookie| connection(tcp(cookie), 0)).collect();
    let gone = (1..=6).map(|cookie| removed(cookie, 101)).collect();
    send(&mut app, Delta { added, removed: gone, ..delta(101) });
    press(&mut app, "jjkG");
    assert_eq!(dialog(&app).0, chosen, "no other key changes what will be hit");
    assert_eq!(cookie(&press(&mut app, "y")), chosen.socket.id.cookie());
}

#[test]
fn a_no_and_a_paste_close_nothing() {
    for answer in ["n", "q", "x", "X", "K"] {
        let mut app = app_on(vec![tcp(1)]);
        press(&mut app, "^X");
        assert!(press(&mut app, answer).is_empty(), "{answer}");
    }
    let mut app = app_on(vec![tcp(1)]);
    press(&mut app, "^X");
    assert!(app.turn(Msg::Paste("y\n".into())).is_empty());
    assert!(code(&mut app, KeyCode::Esc).is_empty());
    assert!(matches!(app.mode, Mode::Normal));
}

#[test]
fn it_works_from_the_detail_view_and_the_frozen_screen() {
    let mut app = app_on(vec![tcp(1), tcp(2)]);
    press(&mut app, "zj");
    enter(&mut app);
    press(&mut app, "^X");
    let (close, _) = dialog(&app);
    assert!(enter(&mut app).is_empty(), "Enter opened the page");
    assert_eq!(cookie(&press(&mut app, "y")), close.socket.id.cookie());
    assert!(matches!(app.page, Page::Detail(_)));
}

#[test]
fn what_cannot_be_closed_is_refused_with_the_reason() {
    let refused = |change: fn(&mut Config), socket| {
        let mut app = app_with(change, vec![socket]);
        press(&mut app, "^X");
        assert!(matches!(app.mode, Mode::Normal));
        notice(&app)
    };
    assert!(refused(|config| config.settings.read_only = true, tcp(1)).contains("--read-only"));
    assert_eq!(refused(|config| config.may_close = false, tcp(1)), CLOSE_NEEDS);
    assert!(refused(|config| config.source.abilities.close = false, tcp(1)).contains("--source linux"));
    let recording = |config: &mut Config| {
        config.source.kind = SourceKind::Replay;
        config.source.abilities = Abilities::default();
    };
    assert_eq!(refused(recording, tcp(1)), "a recording cannot be acted on");
    assert!(refused(|_| {}, tcp(1).without_cookie()).contains("which socket"));
    let session = |config: &mut Config| config.protected = vec![(812, Protection::Ancestor)];
    assert_eq!(refused(session, tcp(1).held_by(&[nginx()])), CloseRefusal::Session.sentence());
    let own = |config: &mut Config| config.protected = vec![(812, Protection::Itself)];
    assert_eq!(refused(own, tcp(1).held_by(&[nginx()])), CloseRefusal::Itself.sentence());
    // What pid 1 of a container holds can leak as well.
    let mut app = app_on(vec![tcp(1).held_by(&[process(1, "init")])]);
    press(&mut app, "^X");
    assert_eq!(dialog(&app).0.socket.id, id(1));
}

#[test]
fn a_row_that_stands_for_one_socket_closes_it_and_one_for_several_asks_which() {
    let many = |count: u64| {
        let sockets = (2..2 + count).map(|cookie| tcp(cookie).local("10.0.0.1:80").held_by(&[nginx()]));
        app_on(std::iter::once(listener(1, 80).held_by(&[nginx()])).chain(sockets).collect())
    };
    for tab in ["2", "4"] {
        let mut app = many(0);
        press(&mut app, tab);
        press(&mut app, "^X");
        assert_eq!(dialog(&app).0.socket.id, id(1), "{tab}");
        let mut app = many(3);
        press(&mut app, tab);
        press(&mut app, "^X");
        assert!(
            matches!(&app.mode, Mode::Menu(Menu { choice: MenuChoice::Socket(sockets), .. }) if sockets.len() == 4),
            "{tab}: {:?}",
            app.mode
        );
        press(&mut app, "j");
        enter(&mut app);
        assert_ne!(dialog(&app).0.socket.id, id(1), "the second one: {tab}");
        assert!(enter(&mut app).is_empty(), "Enter opened it");
        let mut app = many(60);
        press(&mut app, tab);
        press(&mut app, "^X");
        assert!(matches!(app.mode, Mode::Normal) && notice(&app).contains("stands for 61 sockets"), "{}", notice(&app));
    }
    for tab in ["5", "6"] {
        let mut app = many(3);
        press(&mut app, tab);
        press(&mut app, "^X");
        assert!(matches!(app.mode, Mode::Normal) && !notice(&app).is_empty(), "{tab}");
    }
}

#[test]
fn what_came_of_it_is_said_and_a_sample_is_asked_for() {
    let mut app = app_on(vec![tcp(1).local("10.0.0.7:80").remote("10.0.0.8:9")]);
    press(&mut app, "^X");
    let (close, _) = dialog(&app);
    press(&mut app, "y");
    for (outcome, part) in [
        (CloseOutcome::Closed, "tcp 10.0.0.7:80 -> 10.0.0.8:9 is closed"),
        (CloseOutcome::Gone, "had closed already"),
        (CloseOutcome::NotPermitted, "CAP_NET_ADMIN"),
        (CloseOutcome::Unsupported, "kill its process instead"),
        (CloseOutcome::StillThere(TcpState::LastAck), "before 6.11"),
        (CloseOutcome::PortKept, "is closed; its process keeps the port"),
        (CloseOutcome::Disconnected { keeps_port: true }, "keeps the socket and its port"),
        (CloseOutcome::Shadowed, "SO_REUSEPORT"),
        (CloseOutcome::Unsure(ProcMismatch::ForeignProc), "another pid namespace"),
        (CloseOutcome::Refused(CloseRefusal::Session), "from elsewhere"),
        (CloseOutcome::Failed("broken".into()), "not closed: broken"),
    ] {
        let effects = app.turn(Msg::Close(CloseReport { close: close.clone(), outcome }));
        assert_eq!(effects, [Effect::Sample]);
        assert!(notice(&app).contains(part), "{part}: {}", notice(&app));
    }
}

#[test]
fn what_cannot_be_closed_or_proved_is_refused_before_it_is_asked_about() {
    for (socket, part) in [
        (tcp(1).state(TcpState::Bound), "only bound"),
        (tcp(1).with(|socket| socket.protocol = crate::model::endpoint::Protocol::Mptcp), "subflows"),
    ] {
        let mut app = app_on(vec![socket]);
        press(&mut app, "^X");
        assert!(matches!(app.mode, Mode::Normal) && notice(&app).contains(part), "{}", notice(&app));
    }
    let mut app = app_on(vec![tcp(1).held_by(&[nginx()])]);
    app.config.doubt = Some(ProcMismatch::ForeignProc);
    for key in ["^X", "^K"] {
        press(&mut app, key);
        assert!(matches!(app.mode, Mode::Normal), "{key}");
        assert_eq!(notice(&app), ProcMismatch::ForeignProc.sentence(), "{key}");
    }
}
