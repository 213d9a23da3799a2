//! Stories about folded lines: what is alike is one line, is unfolded in place, and keeps its place.

use super::*;
use crate::app::menu::FOLDINGS;
use crate::model::delta::Connection;
use crate::store::folding::{FoldOwner, Folding};
use crate::table::folded::{FoldedLine, LineKey, peer_text};

fn pool() -> Arc<Process> {
    process(4121, "jdbc-pool")
}

fn leaked(cookie: u64, age: u64) -> Connection {
    let socket = tcp(cookie).remote("10.0.0.20:5432").state(TcpState::CloseWait).held_by(&[pool()]);
    aged(socket, age)
}

fn client(cookie: u64) -> Connection {
    let remote = format!("203.0.113.9:{}", 40_000 + cookie);
    aged(tcp(cookie).local("10.0.0.7:443").remote(&remote).held_by(&[nginx()]), 9)
}

/// In its state for so many seconds at second 100.
fn aged(socket: crate::model::testing::SocketBuilder, age: u64) -> Connection {
    let mut connection = connection(socket, 0);
    connection.state_since = Some(Since { at: Timestamp::from_millis((100 - age) * 1_000), basis: AgeBasis::Observed });
    connection
}

/// Thirty leaked connections, five clients and their listener.
fn leaking() -> App {
    let mut app = App::new(Config::new(source_info(), (80, 24)));
    let mut added: Vec<Connection> = (1..=30).map(|cookie| leaked(cookie, 20 + cookie)).collect();
    added.extend((101..=105).map(client));
    added.push(aged(listener(200, 443).held_by(&[nginx()]), 99));
    send(&mut app, Delta { added, ..delta(100) });
    app
}

/// The lines, each as program, peer and count; sockets by their cookie.
fn lines(app: &App) -> Vec<String> {
    let view = &app.panels.connections.folded.view;
    let text = |line: usize| match view.line(line, &app.store) {
        Some(FoldedLine::Row(row)) => {
            let name = row.process.as_ref().map_or("-", |process| process.name.as_str());
            let peer = row.key.peer.map_or_else(String::new, |peer| peer_text(peer, &app.store));
            format!("{name} {peer} {}", row.sums.sockets)
        }
        Some(FoldedLine::Socket(row)) => format!("#{}", row.connection.socket.id.cookie().unwrap_or(0)),
        Some(FoldedLine::More(_, more)) => format!("{more} more"),
        None => "?".to_owned(),
    };
    (0..view.len()).map(text).collect()
}

fn under_cursor(app: &App) -> String {
    lines(app)[app.panels.connections.folded.cursor.line().expect("a line")].clone()
}

#[test]
fn what_is_alike_is_one_line_and_the_leak_stands_first() {
    let app = leaking();
    assert!(app.panels.connections.is_folded());
    assert_eq!(lines(&app), ["jdbc-pool 10.0.0.20:5432 30", "nginx :443 clients 5", "nginx :443 1"]);
    assert!(app.title().contains("3 / 36"), "{}", app.title());
}

#[test]
fn a_line_is_unfolded_in_place_the_oldest_first_and_folded_again() {
    let mut app = leaking();
    press(&mut app, "^l");
    let unfolded = lines(&app);
    assert_eq!(&unfolded[..3], ["jdbc-pool 10.0.0.20:5432 30", "#30", "#29"]);
    assert_eq!((unfolded[11].as_str(), unfolded.len()), ("20 more", 14));
    press(&mut app, "lj");
    assert_eq!(under_cursor(&app), "#29", "what is unfolded is entered");
    press(&mut app, "h");
    assert_eq!(under_cursor(&app), "jdbc-pool 10.0.0.20:5432 30");
    assert_eq!(lines(&app).len(), 3);
    code(&mut app, KeyCode::Right);
    assert_eq!(lines(&app).len(), 14);
    code(&mut app, KeyCode::Left);
    assert_eq!(lines(&app).len(), 3);
}

#[test]
fn more_of_a_line_are_shown_on_its_last_line() {
    let mut app = leaking();
    press(&mut app, "^l");
    (0..11).for_each(|_| drop(press(&mut app, "j")));
    assert_eq!(under_cursor(&app), "20 more");
    press(&mut app, "l");
    assert_eq!(lines(&app).len(), 33);
    assert_eq!(under_cursor(&app), "#20", "where the line was there is the next socket");
}

#[test]
fn enter_leads_from_a_line_to_its_sockets_and_from_a_socket_to_its_details() {
    let mut app = leaking();
    press(&mut app, "^");
    enter(&mut app);
    assert!(!app.panels.connections.is_folded());
    assert_eq!(app.panels.connections.live, 30);
    code(&mut app, KeyCode::Esc);
    assert!(app.panels.connections.is_folded() && app.panels.connections.view.filter().is_empty());
    assert_eq!(under_cursor(&app), "jdbc-pool 10.0.0.20:5432 30");
    press(&mut app, "lj");
    enter(&mut app);
    assert!(matches!(&app.page, Page::Detail(detail) if detail.id == id(30)));
}

#[test]
fn the_selection_stays_with_its_line_and_its_socket() {
    let mut app = leaking();
    press(&mut app, "^j");
    assert_eq!(under_cursor(&app), "nginx :443 clients 5");
    let added = (300..330).map(|cookie| leaked(cookie, 50)).collect();
    send(&mut app, Delta { added, ..delta(101) });
    assert_eq!(under_cursor(&app), "nginx :443 clients 5");
    press(&mut app, "kljj");
    assert_eq!(under_cursor(&app), "#300", "as old as others, and last seen");
    send(&mut app, Delta { removed: (300..320).map(|cookie| removed(cookie, 102)).collect(), ..delta(102) });
    assert_ne!(app.panels.connections.folded.cursor.key(), Some(LineKey::Socket(id(30))));
}

#[test]
fn a_signal_is_for_the_process_of_a_line_and_a_close_for_one_of_its_sockets() {
    let mut app = leaking();
    press(&mut app, "^K");
    assert!(
        matches!(&app.mode, Mode::Menu(Menu { choice: MenuChoice::Signal { process, .. }, .. }) if process.id.pid == 4121)
    );
    code(&mut app, KeyCode::Esc);
    press(&mut app, "X");
    assert!(matches!(&app.mode, Mode::Menu(Menu { choice: MenuChoice::Socket(sockets), .. }) if sockets.len() == 30));
    code(&mut app, KeyCode::Esc);
    press(&mut app, "ljX");
    assert!(matches!(&app.mode, Mode::ConfirmClose(_)), "a socket is meant by itself");
}

#[test]
fn of_several_processes_of_one_program_it_is_asked_which_is_meant() {
    let mut app = App::new(Config::new(source_info(), (80, 24)));
    let of = |cookie: u64, pid: u32| connection(tcp(cookie).held_by(&[process(pid, "worker")]), 0);
    send(&mut app, Delta { added: vec![of(1, 10), of(2, 11), of(3, 12)], ..delta(100) });
    assert_eq!(lines(&app), ["worker 10.0.0.2:80 3"]);
    press(&mut app, "^K");
    app.background(usize::MAX);
    assert!(
        matches!(&app.mode, Mode::Menu(Menu { choice: MenuChoice::Owner { owners, .. }, .. }) if owners.len() == 3)
    );
}

#[test]
fn nothing_is_done_to_a_line_that_nobody_picked() {
    let mut app = leaking();
    press(&mut app, "K");
    assert!(matches!(app.mode, Mode::Normal) && notice(&app).contains("no row is picked"), "{}", notice(&app));
}

#[test]
fn t_chooses_how_lines_are_folded_and_that_stays() {
    let mut app = leaking();
    for (at, row) in FOLDINGS.iter().enumerate() {
        press(&mut app, "t");
        code(&mut app, KeyCode::Home);
        (0..at).for_each(|_| drop(press(&mut app, "j")));
        enter(&mut app);
        assert_eq!(app.panels.connections.folding(), row.folding);
        press(&mut app, "21");
        assert_eq!(app.panels.connections.folding(), row.folding, "{}", row.name);
    }
    app.panels.connections.fold_by(Some(Folding::Remote));
    press(&mut app, "1");
    assert_eq!(
        lines(&app),
        ["- 10.0.0.20:5432 30", "- :443 clients 5", "- :443 1"]
            .map(|line| { line.replace("- 10", "jdbc-pool 10").replace("- :", "nginx :") })
    );
}

#[test]
fn processes_stand_below_their_parents() {
    let mut app = App::new(Config::new(source_info(), (80, 24)));
    let child = |pid: u32, parent_pid: u32| Arc::new(Process { parent_pid, ..(*process(pid, "child")).clone() });
    let of = |cookie: u64, process: Arc<Process>| connection(tcp(cookie).held_by(&[process]), 0);
    let added =
        vec![of(1, child(20, 10)), of(2, process(10, "parent")), of(3, child(30, 20)), of(4, process(40, "other"))];
    send(&mut app, Delta { added, ..delta(100) });
    app.panels.connections.fold_by(Some(Folding::Process));
    press(&mut app, "1");
    let view = &app.panels.connections.folded.view;
    let depth = |line: usize| match view.line(line, &app.store) {
        Some(FoldedLine::Row(row)) => match row.key.owner {
            Some(FoldOwner::Process(id)) => (id.pid, row.depth),
            _ => (0, row.depth),
        },
        _ => (0, 9),
    };
    let tree: Vec<_> = (0..view.len()).map(depth).collect();
    let parent = tree.iter().position(|line| *line == (10, 0)).expect("the parent");
    assert_eq!(tree[parent..parent + 3], [(10, 0), (20, 1), (30, 2)]);
    assert!(tree.contains(&(40, 0)));
}

#[test]
fn a_filter_counts_what_passes_it() {
    let mut app = leaking();
    press(&mut app, "/age>40s");
    enter(&mut app);
    app.background(usize::MAX);
    assert_eq!(lines(&app), ["jdbc-pool 10.0.0.20:5432 10", "nginx :443 1"]);
    press(&mut app, "^l");
    app.background(usize::MAX);
    assert_eq!(lines(&app).len(), 2 + 10, "what does not pass is not unfolded");
    send(&mut app, delta(105));
    app.background(usize::MAX);
    assert_eq!(lines(&app)[0], "jdbc-pool 10.0.0.20:5432 15", "time passes");
    code(&mut app, KeyCode::Esc);
    app.background(usize::MAX);
    assert!(lines(&app).contains(&"nginx :443 clients 5".to_owned()));
}

#[test]
fn a_sort_that_is_asked_for_holds() {
    let mut app = leaking();
    let column = crate::table::column::find(crate::table::folded::columns::FOLDED, "count").expect("a column");
    app.panels.connections.folded.view.start_sort(SortKey { column, order: crate::table::order::Order::Ascending });
    app.background(usize::MAX);
    assert_eq!(lines(&app), ["nginx :443 1", "nginx :443 clients 5", "jdbc-pool 10.0.0.20:5432 30"]);
    send(&mut app, Delta { added: (106..140).map(client).collect(), ..delta(101) });
    assert_eq!(lines(&app), ["nginx :443 1", "jdbc-pool 10.0.0.20:5432 30", "nginx :443 clients 39"]);
}

#[test]
fn a_line_says_since_when_the_oldest_of_now_waits() {
    let mut app = leaking();
    let oldest = |app: &App| {
        let view = &app.panels.connections.folded.view;
        let LineKey::Row(key) = view.key(0).expect("a line") else { panic!("nothing is unfolded") };
        view.row(key).and_then(|row| row.oldest).map(|since| since.at.as_millis() / 1_000)
    };
    assert_eq!(oldest(&app), Some(50));
    send(&mut app, Delta { removed: vec![removed(30, 101), removed(29, 101)], ..delta(101) });
    app.background(usize::MAX);
    assert_eq!(oldest(&app), Some(52));
    assert!(!app.store.rows().alike().is_stale() && !app.is_busy());
}

#[test]
fn of_what_is_unfolded_the_sockets_on_the_screen_are_looked_up_between_full_samples() {
    let mut app = leaking();
    let partial = SampleIntervals { full_every: Some(Duration::from_secs(5)), ..SampleIntervals::default() };
    send(&mut app, Delta { sample_intervals: partial, ..delta(101) });
    let effects = press(&mut app, "^l");
    let visible = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Collect(needs) => Some(needs.visible.len()),
            _ => None,
        })
    };
    assert_eq!(visible(&effects), Some(10));
    assert_eq!(visible(&press(&mut app, "h")), Some(0));
}

#[test]
fn a_sample_in_which_nothing_changes_makes_no_line_anew() {
    let mut app = leaking();
    // Past the first seconds, in which lines find their places.
    (101..112).for_each(|second| drop(send(&mut app, delta(second))));
    let version = app.store.rows().alike().version();
    send(&mut app, delta(112));
    assert_eq!(app.store.rows().alike().version(), version);
    assert!(!app.is_busy());
}

#[test]
fn a_click_on_the_sign_unfolds_a_line_and_folds_it_again() {
    let mut app = leaking();
    let row = app.layout().expect("large enough").body.y;
    let mut click = |column: u16| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        app.turn(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
        lines(&app).len()
    };
    assert_eq!((click(1), click(1)), (14, 3));
}

#[test]
fn counts_that_flicker_move_no_line_and_a_line_that_grows_for_good_goes_up() {
    let mut app = App::new(Config::new(source_info(), (80, 24)));
    let to = |cookie: u64, port: u16| aged(tcp(cookie).remote(&format!("10.0.0.9:{port}")).held_by(&[pool()]), 9);
    let all = |range: std::ops::Range<u64>, port: u16| range.map(move |cookie| to(cookie, port)).collect::<Vec<_>>();
    let added = [all(100..112, 1), all(200..209, 2)].concat();
    send(&mut app, Delta { added, ..delta(100) });
    let order = |app: &App| -> Vec<String> {
        let names = lines(app).into_iter().map(|line| line.split(' ').nth(1).unwrap_or_default().to_owned());
        names.collect()
    };
    let first = order(&app);
    assert_eq!(first, ["10.0.0.9:1", "10.0.0.9:2"]);
    // Past the first seconds, in which lines find their places.
    (101..112).for_each(|second| drop(send(&mut app, delta(second))));
    let mut seconds = 112..;
    let mut second = || seconds.next().expect("no end");
    // Over a minute the second line has 9 and 13 sockets in turn, the first 12 and 8.
    for _ in 0..20 {
        let now = second();
        let removed = (100..104).map(|cookie| removed(cookie, now)).collect();
        send(&mut app, Delta { added: all(300..304, 2), removed, ..delta(now) });
        assert_eq!(order(&app), first);
        (0..2).for_each(|_| drop(send(&mut app, delta(second()))));
        let now = second();
        let removed = (300..304).map(|cookie| super::removed(cookie, now)).collect();
        send(&mut app, Delta { added: all(100..104, 1), removed, ..delta(now) });
        assert_eq!(order(&app), first);
    }
    let now = second();
    send(&mut app, Delta { added: all(400..500, 2), ..delta(now) });
    for _ in 0..9 {
        send(&mut app, delta(second()));
        assert_eq!(order(&app), first, "it has not been larger for long");
    }
    send(&mut app, delta(second()));
    assert_eq!(order(&app), ["10.0.0.9:2", "10.0.0.9:1"]);
}

#[test]
fn a_line_is_copied_and_explained() {
    let mut app = leaking();
    press(&mut app, "^");
    press(&mut app, "y");
    let texts = match &app.mode {
        Mode::Menu(Menu { choice: MenuChoice::Text(texts), .. }) => texts.clone(),
        other => panic!("{other:?}"),
    };
    assert!(texts[0].about.starts_with("jdbc-pool  4121  10.0.0.20:5432  CLOSE_WAIT  30"), "{texts:?}");
    let lists = |line: &crate::app::menu::MenuLine| line.about.starts_with("conntop list 'owner:live program=");
    assert!(texts.iter().any(lists), "{texts:?}");
    code(&mut app, KeyCode::Esc);
    press(&mut app, "e");
    assert!(matches!(&app.mode, Mode::Explain { explained, .. } if explained.state == Some(TcpState::CloseWait)));
}
