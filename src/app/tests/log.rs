//! The tab Log: connections that have ended, its own filter, and the log of one row.

use super::*;
use crate::app::mode::Page;
use crate::app::panels::Panel;
use crate::app::panels::log::list::{LogLine, LogView};
use crate::model::closing::{Close, CloseOutcome, CloseReport};
use crate::model::delta::Transition;
use crate::model::outcome::{EndReport, SocketError};
use crate::model::tcp_info::ByteCounts;
use crate::model::testing::transition;

/// The sockets of the lines on the screen, from top to bottom.
fn shown(app: &App) -> Vec<u64> {
    let lines = app.panels.log.window(&app.store, 100);
    lines.filter_map(|(_, line)| line.transition().id.cookie()).collect()
}

fn reasons(app: &App) -> Vec<&'static str> {
    let reason = |line: LogLine<'_>| match line {
        LogLine::Closed(closed) => closed.reason().words(),
        LogLine::Change(_) => "a change",
    };
    app.panels.log.window(&app.store, 100).map(|(_, line)| reason(line)).collect()
}

/// Connection `cookie`, of nginx if it is odd, with a peer of its own.
fn numbered(cookie: u64) -> crate::model::testing::SocketBuilder {
    let socket = tcp(cookie).local(&format!("10.0.0.7:{}", 40_000 + cookie)).remote(&format!("10.0.0.{cookie}:5432"));
    let (odd, even) = (nginx(), process(900, "cron"));
    socket.bytes(1_000 * cookie, 10).held_by(&[if cookie % 2 == 1 { odd } else { even }])
}

/// Connections 1 to 4, of which 1 and 2 go to `CLOSE_WAIT` and 3 is reset.
fn lively() -> App {
    let mut app = app_on((1..=4).map(numbered).collect());
    let half = |cookie| transition(numbered(cookie), 101_000, Some(TcpState::Established), Some(TcpState::CloseWait));
    let reset = Transition {
        report: EndReport::Error(SocketError::Reset),
        ..transition(numbered(3), 101_500, Some(TcpState::Established), None)
    };
    let changed = [1, 2].map(|cookie| connection(numbered(cookie).state(TcpState::CloseWait), 0)).to_vec();
    let transitions = vec![half(1), half(2), reset];
    send(&mut app, Delta { changed, transitions, removed: vec![removed(3, 102)], ..delta(102) });
    app
}

#[test]
fn the_connections_that_have_ended_stand_by_themselves_with_the_reason_and_open_as_they_were_last_seen() {
    let mut app = lively();
    press(&mut app, "8");
    assert_eq!(shown(&app), [3, 2, 1]);
    press(&mut app, "1H");
    assert_eq!((app.tab, app.panels.log.view(), shown(&app)), (Tab::Log, LogView::Closed, vec![3]));
    assert_eq!(reasons(&app), ["reset by peer"]);
    // The table has forgotten it by now.
    (103..120).for_each(|second| drop(send(&mut app, delta(second))));
    assert!(app.store.rows().find(id(3)).is_none());
    enter(&mut app);
    let Page::Detail(detail) = &app.page else { panic!("no details") };
    let row = detail.row.as_ref().expect("as last seen");
    assert_eq!(row.connection.socket.tcp.and_then(|info| info.bytes).map_or(0, ByteCounts::received), 3_000);
    code(&mut app, KeyCode::Esc);
    press(&mut app, "H");
    assert_eq!((app.panels.log.view(), shown(&app)), (LogView::Changes, vec![3, 2, 1]));
}

#[test]
fn the_log_has_a_filter_of_its_own_and_that_of_the_connections_does_not_touch_it() {
    let mut app = lively();
    press(&mut app, "/process:cron");
    enter(&mut app);
    press(&mut app, "8");
    assert_eq!(shown(&app), [3, 2, 1], "another filter is in force there");
    press(&mut app, "/process:nginx");
    assert_eq!(shown(&app), [3, 1], "while it is typed");
    enter(&mut app);
    assert_eq!((app.tab, shown(&app)), (Tab::Log, vec![3, 1]));
    press(&mut app, "1");
    assert_eq!(app.panels.connections.view.filter().text(), "process:cron");
    press(&mut app, "8/ state:close-wait");
    enter(&mut app);
    assert_eq!(shown(&app), [1], "as it was before or after");
    assert!(app.title().contains("1 of 3 · process:nginx state:close-wait"), "{}", app.title());
    press(&mut app, "/ lport:1");
    assert!(shown(&app).is_empty());
    code(&mut app, KeyCode::Esc);
    assert_eq!(shown(&app), [1], "Esc brings the one before back");
    code(&mut app, KeyCode::Esc);
    assert_eq!((app.tab, shown(&app)), (Tab::Log, vec![3, 2, 1]));
    assert_eq!(app.panels.connections.view.filter().text(), "process:cron");
}

/// Picks a row that the log has something of.
fn choose_changed(app: &mut App) -> u64 {
    press(app, "^");
    while selected(app).is_none_or(|cookie| cookie > 2) {
        press(app, "j");
    }
    selected(app).expect("a row")
}

#[test]
fn a_row_shows_its_own_log_and_escape_or_q_leads_back_to_it() {
    for back in [KeyCode::Esc, KeyCode::Char('q')] {
        let mut app = lively();
        let chosen = choose_changed(&mut app);
        press(&mut app, "L");
        assert_eq!((app.tab, shown(&app)), (Tab::Log, vec![chosen]));
        code(&mut app, back);
        assert_eq!((app.tab, selected(&app)), (Tab::Connections, Some(chosen)));
        assert!(app.panels.log.own_filter().is_some_and(Filter::is_empty));
    }
    let mut app = lively();
    press(&mut app, "2jL");
    let of_process = shown(&app);
    assert!(of_process == [3, 1] || of_process == [2], "of one process: {of_process:?}");
    code(&mut app, KeyCode::Esc);
    assert_eq!(app.tab, Tab::Processes);
    press(&mut app, "1");
    let chosen = choose_changed(&mut app);
    enter(&mut app);
    press(&mut app, "L");
    assert_eq!((app.tab, shown(&app)), (Tab::Log, vec![chosen]), "from its details");
}

#[test]
fn what_comes_passes_the_filter_and_the_selected_line_stays() {
    let mut app = lively();
    press(&mut app, "8/process:nginx");
    enter(&mut app);
    press(&mut app, "j");
    let chosen = app.selected();
    for second in 103..140 {
        let transitions =
            (1..=4).map(|cookie| transition(numbered(cookie), second * 1_000, None, Some(TcpState::Established)));
        send(&mut app, Delta { transitions: transitions.collect(), ..delta(second) });
        app.background(usize::MAX);
        assert_eq!(app.selected(), chosen);
    }
    assert_eq!(shown(&app).len(), 76 - app.panels.log.cursor.offset());
    assert!(shown(&app).iter().all(|cookie| cookie % 2 == 1));
}

#[test]
fn a_long_log_is_filtered_in_slices_and_forgets_what_it_no_longer_keeps() {
    let mut app = lively();
    let many = |second: u64| {
        let entry = |nth: u64| transition(numbered(1 + nth % 4), second * 1_000, None, Some(TcpState::Established));
        Delta { transitions: (0..9_000).map(entry).collect(), ..delta(second) }
    };
    send(&mut app, many(103));
    press(&mut app, "8");
    let filter: Vec<KeyCode> = "/process:nginx".chars().map(KeyCode::Char).collect();
    for key in filter {
        app.update(Msg::Key(KeyEvent::new(key, KeyModifiers::NONE)));
    }
    assert!(app.is_busy() && shown(&app).is_empty(), "a key does not wait for all lines");
    while app.is_busy() {
        app.background(64);
    }
    enter(&mut app);
    let position = |app: &App| app.position().extent.len;
    assert_eq!(position(&app), 4_502);
    for second in 104..110 {
        send(&mut app, many(second));
        while app.is_busy() {
            app.background(8_192);
        }
        assert_eq!(position(&app), 5_000, "half of the ten thousand that are kept");
        let line = app.panels.log.window(&app.store, 5_000).last().map(|(line, _)| line);
        assert!(line.is_some(), "each of them is there");
    }
}

#[test]
fn what_the_user_closed_or_killed_says_so() {
    let mut app = app_on((1..=4).map(numbered).collect());
    let close = Close::of(&numbered(2).build()).expect("it has a cookie");
    app.turn(Msg::Close(CloseReport { close, outcome: CloseOutcome::Closed }));
    let kill = Kill { process: nginx().id, name: "nginx".into(), signal: Signal::Term, holding: Vec::new() };
    app.turn(Msg::Kill(KillReport { kill: kill.clone(), outcome: KillOutcome::Sent }));
    let end = |cookie: u64, ms: u64| transition(numbered(cookie), ms, Some(TcpState::Established), None);
    let transitions = vec![end(2, 100_500), end(1, 100_600), end(4, 100_700)];
    send(
        &mut app,
        Delta { transitions, removed: vec![removed(2, 101), removed(1, 101), removed(4, 101)], ..delta(101) },
    );
    press(&mut app, "H");
    assert_eq!(reasons(&app), ["reason not known", "reason not known", "closed by conntop"], "it has not ended yet");
    app.turn(Msg::Kill(KillReport { kill, outcome: KillOutcome::Ended { after: Duration::from_millis(300) } }));
    send(&mut app, Delta { transitions: vec![end(3, 101_100)], removed: vec![removed(3, 102)], ..delta(102) });
    let told = ["killed by conntop", "reason not known", "killed by conntop", "closed by conntop"];
    assert_eq!(reasons(&app), told);
}

#[test]
fn what_ended_while_the_screen_was_frozen_is_there_afterwards_and_bounded() {
    let mut app = lively();
    press(&mut app, "z");
    let end =
        |cookie: u64, second: u64| transition(numbered(cookie), second * 1_000, Some(TcpState::Established), None);
    send(&mut app, Delta { transitions: vec![end(4, 103)], removed: vec![removed(4, 103)], ..delta(103) });
    for second in 104..120 {
        let gone = |nth: u64| {
            transition(tcp(10_000 + second * 1_000 + nth), second * 1_000, Some(TcpState::Established), None)
        };
        let many = (0..1_000).map(gone);
        send(&mut app, Delta { transitions: many.collect(), ..delta(second) });
        app.background(usize::MAX);
    }
    assert_eq!(app.store.closed().total(), 1, "nothing moves while it is frozen");
    press(&mut app, "zH");
    app.background(usize::MAX);
    let closed = app.store.closed();
    assert!(
        closed.entries().len() <= crate::store::closed::CLOSED_LEN_MAX && closed.total() > 5_000,
        "{}",
        closed.total()
    );
    assert_eq!(app.position().extent.len, closed.entries().len());
}
