//! Stories about the chosen cell: which it is, and what `=` and `!` leave of a table.

use std::fmt::Debug;
use std::num::NonZeroU32;

use super::*;
use crate::app::panels::folded::FoldedPanel;
use crate::table::column::Column;
use crate::table::folded::{FoldedLine, LineKey};

/// Wide enough for every column that is shown without being asked.
const WIDE: (u16, u16) = (400, 60);

/// Processes that talk to databases, serve clients and take datagrams; some sockets are nobody's.
fn town() -> App {
    let (pool, web) = (process(4121, "jdbc pool"), process(812, "nginx"));
    let left = Owner::Remembered(Arc::new(Holders::new(vec![process(77, "curl")]).expect("one process")));
    let of_pool = |cookie: u64, remote: &str| {
        tcp(cookie)
            .local(&format!("10.0.0.7:{}", 51_000 + cookie))
            .remote(remote)
            .uid(33)
            .held_by(std::slice::from_ref(&pool))
    };
    let client = |cookie: u64| {
        tcp(cookie)
            .local("10.0.0.7:443")
            .remote(&format!("203.0.113.{cookie}:40000"))
            .held_by(std::slice::from_ref(&web))
    };
    let sockets = vec![
        of_pool(1, "10.0.0.20:5432").state(TcpState::CloseWait),
        of_pool(2, "10.0.0.20:5432").state(TcpState::CloseWait),
        of_pool(3, "10.0.0.20:5432").queues(900, 0),
        of_pool(4, "10.0.0.20:543"),
        of_pool(5, "[2001:db8::20]:5432"),
        client(6),
        client(7),
        listener(8, 443).held_by(std::slice::from_ref(&web)),
        listener(9, 9090).held_by(&[process(6002, "report-api")]).queues(9, 128),
        crate::model::testing::udp(10, 53).held_by(&[process(611, "resolve")]),
        tcp(11).remote("10.0.0.31:6379").mini(TcpState::TimeWait).owner(left),
        tcp(12).remote("10.0.0.32:6379").mini(TcpState::TimeWait).owner(Owner::None),
        tcp(13).remote("10.0.0.33:22").owner(Owner::Hidden).with(|socket| socket.interface = NonZeroU32::new(3)),
    ];
    app_with(|config| config.size = WIDE, sockets)
}

/// Of each row what it is and what it shows in a column.
type Rows<R> = fn(&App, &'static Column<R>) -> Vec<(String, String)>;

/// A table as the tests see it: its columns, and of each row what it is and what it shows in one of them.
struct Shown<R: 'static> {
    columns: &'static [Column<R>],
    rows: Rows<R>,
}

fn text<R>(column: &Column<R>, row: &R, app: &App) -> String {
    // A process that is gone has the name that it had.
    let text = (column.value)(row, &app.store).text().into_owned();
    if column.key == "process" { text.trim_start().trim_start_matches("was ").to_owned() } else { text }
}

fn groups(app: &App, column: &'static Column<crate::store::groups::Group>) -> Vec<(String, String)> {
    let Some(panel) = group_panel(app) else { return Vec::new() };
    panel.view.from(0).map(|group| (format!("{:?}", group.key), text(column, group, app))).collect()
}

fn group_panel(app: &App) -> Option<&GroupPanel> {
    match app.panels.face(app.tab) {
        PanelFace::Processes(panel)
        | PanelFace::Remotes(panel)
        | PanelFace::Listeners(panel)
        | PanelFace::Ports(panel) => Some(panel),
        _ => None,
    }
}

fn sockets(app: &App, column: &'static Column<crate::store::row::SocketRow>) -> Vec<(String, String)> {
    let panel = &app.panels.connections;
    panel
        .window(&app.store, 100)
        .map(|(_, row)| (format!("{:?}", row.connection.socket.id), text(column, row, app)))
        .collect()
}

fn folded(app: &App, column: &'static Column<FoldedLine>) -> Vec<(String, String)> {
    let panel: &FoldedPanel = &app.panels.connections.folded;
    let lines = panel.window(&app.store, 100);
    lines.map(|(line, content)| (format!("{:?}", panel.view.key(line)), text(column, &content, app))).collect()
}

fn filter(app: &App) -> String {
    app.panels.connections.view.filter().text().to_owned()
}

/// Presses `=` and `!` on every cell of the table on the screen; answers the columns that have no filter.
fn press_on_every_cell<R: Debug>(app: &mut App, shown: &Shown<R>) -> Vec<&'static str> {
    let places = app.panel().table().expect("a table").columns().shown(WIDE.0);
    let mut without = Vec::new();
    for span in places {
        let column = &shown.columns[span.index];
        app.change_panel(|panel, _| panel.table_mut().expect("a table").columns_mut().choose_cell_at(WIDE.0, span.x));
        let before = (shown.rows)(app, column);
        assert!(before.len() > 1, "{}", column.key);
        for (line, (_, value)) in before.iter().enumerate() {
            for (key, is_wanted) in [("=", true), ("!", false)] {
                press(app, "^");
                (0..line).for_each(|_| drop(press(app, "j")));
                press(app, key);
                if filter(app).is_empty() {
                    assert!(notice(app).len() > 20, "{} {}", column.key, notice(app));
                    without.push(column.key);
                    continue;
                }
                let mut after = (shown.rows)(app, column);
                let mut wanted: Vec<_> =
                    before.iter().filter(|(_, other)| (other == value) == is_wanted).cloned().collect();
                after.sort();
                wanted.sort();
                assert_eq!(after, wanted, "{key} on {value:?} of {} is {}", column.key, filter(app));
                code(app, KeyCode::Esc);
                assert_eq!(filter(app), "", "Esc removes it");
            }
        }
    }
    without.dedup();
    without
}

#[test]
fn only_this_and_not_this_leave_exactly_the_rows_that_they_say_in_every_column_of_every_tab() {
    let mut app = town();
    let flat = Shown { columns: COLUMNS, rows: sockets };
    assert_eq!(press_on_every_cell(&mut app, &flat), ["age"], "blank cells of other columns have one");
    app.fold_by(Some(crate::store::folding::Folding::Cause));
    let lines = Shown { columns: crate::table::folded::columns::FOLDED, rows: folded };
    let counts = ["pid", "count", "trend", "oldest", "queues", "rxrate", "txrate", "why"];
    assert_eq!(press_on_every_cell(&mut app, &lines), counts);
    for (tab, with) in [
        ("2", &["process", "pid", "command"][..]),
        ("3", &["raddr", "rport", "proto", "service", "process"]),
        ("4", &["local", "proto", "service", "process", "pid"]),
        ("7", &["remote", "service", "source", "process", "pid"]),
    ] {
        press(&mut app, tab);
        let columns = group_panel(&app).expect("groups").columns.all;
        let without = press_on_every_cell(&mut app, &Shown { columns, rows: groups });
        let wrong: Vec<_> =
            without.iter().filter(|key| with.contains(key) && !["rport", "service"].contains(*key)).collect();
        assert!(wrong.is_empty(), "{tab}: {wrong:?} should have one");
        let shown = app.panel().table().expect("a table").columns().shown(WIDE.0);
        let missing: Vec<_> =
            shown.iter().map(|span| columns[span.index].key).filter(|key| !without.contains(key)).collect();
        assert!(missing.iter().all(|key| with.contains(key)), "{tab}: {missing:?}");
    }
}

#[test]
fn a_filter_from_a_cell_is_added_to_the_one_that_stands_can_be_edited_and_esc_removes_it() {
    let mut app = app_on((1..=4).map(|cookie| tcp(cookie).remote(&format!("10.0.0.{cookie}:5432"))).collect());
    press(&mut app, "j=");
    assert_eq!(filter(&app), "remote=\"10.0.0.2:5432\"");
    press(&mut app, "=");
    assert!(notice(&app).contains("already"), "{}", notice(&app));
    press(&mut app, "/");
    assert!(matches!(&app.mode, Mode::Filter(edit) if edit.line.text() == "remote=\"10.0.0.2:5432\""));
    code(&mut app, KeyCode::Esc);
    code(&mut app, KeyCode::Esc);
    assert_eq!((filter(&app).as_str(), selected(&app)), ("", Some(2)), "the cursor stays on its row");
    app.apply_filter("rport:5432 or rport:80");
    press(&mut app, "!");
    assert_eq!(filter(&app), "(rport:5432 or rport:80) !remote=\"10.0.0.2:5432\"");
    assert_eq!(app.panels.connections.live, 3);
}

#[test]
fn tab_and_where_nothing_unfolds_the_arrows_choose_the_cell() {
    let mut app = app_with(|config| config.size = (120, 40), vec![tcp(1), tcp(2).state(TcpState::CloseWait)]);
    let cell = |app: &App| {
        let columns = &app.panels.connections.columns;
        columns.cell(&columns.shown(120)).map(|span| COLUMNS[span.index].key)
    };
    press(&mut app, "j");
    assert_eq!(cell(&app), Some("remote"));
    code(&mut app, KeyCode::Tab);
    assert_eq!(cell(&app), Some("state"));
    code(&mut app, KeyCode::Left);
    code(&mut app, KeyCode::BackTab);
    assert_eq!(cell(&app), Some("local"));
    code(&mut app, KeyCode::Right);
    press(&mut app, "l=");
    assert_eq!(filter(&app), "state:close-wait");
    code(&mut app, KeyCode::Esc);
    app.fold_by(Some(crate::store::folding::Folding::Cause));
    let columns = |app: &App| {
        let columns = &app.panels.connections.folded.columns;
        columns.cell(&columns.shown(120)).map(|span| columns.all[span.index].key)
    };
    let before = columns(&app);
    press(&mut app, "^");
    code(&mut app, KeyCode::Right);
    assert_eq!(columns(&app), before, "there it unfolds");
    assert!(matches!(app.panels.connections.folded.view.key(1), Some(LineKey::Socket(_))));
    code(&mut app, KeyCode::Tab);
    assert_ne!(columns(&app), before);
}

#[test]
fn what_has_no_cells_and_what_has_no_filter_says_so() {
    let mut app = town();
    press(&mut app, "5");
    for key in [KeyCode::Tab, KeyCode::Char('='), KeyCode::Char('!')] {
        code(&mut app, key);
        assert!(notice(&app).contains("no cells"), "{}", notice(&app));
    }
    let mut app = app_on(Vec::new());
    press(&mut app, "=");
    assert!(notice(&app).contains("no cell to filter by"), "{}", notice(&app));
}

#[test]
fn control_and_an_arrow_lead_to_the_next_tab() {
    let mut app = three();
    let go = |app: &mut App, code| app.turn(Msg::Key(KeyEvent::new(code, KeyModifiers::CONTROL)));
    go(&mut app, KeyCode::Right);
    assert_eq!(app.tab, Tab::Processes);
    go(&mut app, KeyCode::Left);
    assert_eq!(app.tab, Tab::Connections);
}
