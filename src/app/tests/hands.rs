//! What keys and clicks do that lead somewhere else, and what is said where they do nothing.

use super::*;
use crate::app::layout::SIZE_MIN;
use crate::app::mode::Page;
use crate::model::testing::transition;

fn click(app: &mut App, (column, row): (u16, u16)) -> Vec<Effect> {
    let kind = MouseEventKind::Down(MouseButton::Left);
    app.turn(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
}

fn is_detail(app: &App, cookie: u64) -> bool {
    matches!(&app.page, Page::Detail(detail) if detail.id == id(cookie))
}

#[test]
fn q_leaves_what_is_open_one_after_the_other_and_then_the_program() {
    let mut app = three();
    press(&mut app, "2");
    enter(&mut app);
    assert_eq!(app.tab, Tab::Connections, "the connections of a process");
    press(&mut app, "j");
    enter(&mut app);
    assert!(matches!(app.page, Page::Detail(_)));
    press(&mut app, "?");
    for (is_help, is_detail, tab) in
        [(false, true, Tab::Connections), (false, false, Tab::Connections), (false, false, Tab::Processes)]
    {
        assert!(!press(&mut app, "q").contains(&Effect::Quit));
        let help = matches!(app.mode, Mode::Help(_));
        assert_eq!((help, matches!(app.page, Page::Detail(_)), app.tab), (is_help, is_detail, tab));
    }
    assert_eq!(press(&mut app, "q"), [Effect::Quit]);
}

#[test]
fn history_that_no_file_has_is_lost_only_after_a_second_q() {
    let mut app = three();
    send(&mut app, delta(100 + 9 * 60));
    assert_eq!(press(&mut app, "q"), [Effect::Quit], "a short look is not worth a question");
    send(&mut app, delta(100 + 42 * 60));
    assert!(press(&mut app, "q").is_empty());
    assert!(notice(&app).contains("42m"), "{}", notice(&app));
    assert!(press(&mut app, "jq").is_empty(), "another key came between");
    assert_eq!(press(&mut app, "q"), [Effect::Quit]);
    let mut replayed = app_with(|config| config.source.kind = SourceKind::Replay, vec![tcp(1)]);
    send(&mut replayed, delta(9_000));
    assert_eq!(press(&mut replayed, "q"), [Effect::Quit], "the recording still has it");
}

#[test]
fn a_key_that_does_nothing_says_so_once() {
    let mut app = three();
    press(&mut app, "v");
    assert!(notice(&app).starts_with("v does nothing here"), "{}", notice(&app));
    press(&mut app, "v");
    assert_eq!(notice(&app), "");
    for nth in 0..200 {
        app.turn(Msg::Key(KeyEvent::new(
            KeyCode::Char(char::from_u32(0x400 + nth).expect("valid")),
            KeyModifiers::NONE,
        )));
    }
    assert!(app.key_history.idle.len() < 200);
}

#[test]
fn a_notice_goes_when_it_has_been_read_and_not_with_a_sample() {
    let mut app = three();
    press(&mut app, "v");
    let number = app.notices.latest().expect("said").0.number;
    (101..150).for_each(|second| drop(send(&mut app, delta(second))));
    assert_ne!(notice(&app), "");
    app.take_dirty();
    app.turn(Msg::NoticeRead(number));
    assert_eq!((notice(&app).as_str(), app.take_dirty()), ("", true));
}

/// What the copy menu of the selected row offers: name and text.
fn offered(app: &mut App) -> Vec<(String, String)> {
    press(app, "y");
    let Mode::Menu(Menu { choice: MenuChoice::Text(texts), .. }) = &app.mode else { return Vec::new() };
    texts.iter().map(|text| (text.label.clone(), text.about.clone())).collect()
}

#[test]
fn the_copy_menu_offers_the_row_its_ends_and_commands_that_name_them() {
    let mut app = app_on(vec![tcp(1).local("10.0.0.7:51234").remote("10.0.0.20:5432").held_by(&[nginx()])]);
    press(&mut app, "j");
    let offered = offered(&mut app);
    let of = |name: &str| &offered.iter().find(|(label, _)| label == name).unwrap_or_else(|| panic!("no {name}")).1;
    assert_eq!(
        (of("local end").as_str(), of("remote end").as_str(), of("pid").as_str()),
        ("10.0.0.7:51234", "10.0.0.20:5432", "812")
    );
    let json: serde_json::Value = serde_json::from_str(of("json")).expect("valid JSON");
    assert_eq!((&json["lport"], &json["rx_bytes"]), (&51_234.into(), &serde_json::Value::Null));
    assert!(of("row").contains("nginx") && of("strace").contains("812"));
    assert_eq!(of("cell"), "10.0.0.20:5432", "the cell that tells most");
    let copied = enter(&mut app);
    assert!(matches!(copied.as_slice(), [Effect::Copy(text)] if text.as_str() == *of("row")), "{copied:?}");
}

#[test]
fn a_group_a_log_line_and_a_finding_can_be_copied_and_an_empty_table_says_so() {
    let mut app = three();
    press(&mut app, "2");
    let of_group = offered(&mut app);
    assert!(of_group.iter().any(|(name, text)| name == "conntop" && text.contains("812")), "{of_group:?}");
    assert!(of_group.contains(&("cell".to_owned(), "nginx".to_owned())), "{of_group:?}");
    let mut app = logged();
    press(&mut app, "8j");
    let of_line = offered(&mut app);
    assert!(of_line[0].1.contains("ESTABLISHED → CLOSE_WAIT"), "{of_line:?}");
    let mut app = app_on(Vec::new());
    assert!(offered(&mut app).is_empty());
    assert_eq!(notice(&app), "there is no row to copy");
}

/// An app of 120x40 with log lines of sockets 1 to 3, the newest first.
fn logged() -> App {
    let mut app = app_with(|config| config.size = (120, 40), (1..=3).map(tcp).collect());
    let (open, ends) = (Some(TcpState::Established), Some(TcpState::CloseWait));
    let entry = |cookie: u64| transition(tcp(cookie), 101_000, open, ends);
    send(&mut app, Delta { transitions: (1..=3).map(entry).collect(), ..delta(101) });
    app
}

#[test]
fn a_click_on_the_log_below_a_table_opens_the_connection_and_its_title_all_of_the_log() {
    for (line, cookie) in [(1, 3), (3, 1)] {
        let mut app = logged();
        let log = app.layout().expect("large enough").log;
        click(&mut app, (10, log.y + line));
        assert!(is_detail(&app, cookie), "{line}");
    }
    let mut app = logged();
    let log = app.layout().expect("large enough").log;
    click(&mut app, (10, log.y + 4));
    assert!(matches!(app.page, Page::Tab), "there is no such line");
    click(&mut app, (10, log.y));
    assert_eq!(app.tab, Tab::Log);
}

proptest! {
    /// Whatever was scrolled to, on whatever tab and whatever is open, no size of the window leaves a gap below the last line, and
    /// the row under the cursor is on the screen.
    #[test]
    fn nothing_is_scrolled_past_its_end_and_the_cursor_stays_in_sight(
        keys in "[1-9?qeytsldur\njjGGGg]{1,16}",
        sizes in proptest::collection::vec((SIZE_MIN.0..300, SIZE_MIN.1..100), 1..8),
    ) {
        let mut app = app_on((1..=150).map(of_many).collect());
        send(&mut app, Delta { transitions: (1..=120).map(|cookie| transition(of_many(cookie), 101_000, None, Some(TcpState::Established))).collect(), ..delta(101) });
        for (key, size) in keys.chars().zip(sizes.into_iter().cycle()) {
            match key {
                '\n' => drop(enter(&mut app)),
                'd' => drop(code(&mut app, KeyCode::PageDown)),
                'u' => drop(code(&mut app, KeyCode::PageUp)),
                key => drop(press(&mut app, &key.to_string())),
            }
            app.turn(Msg::Resize(size.0, size.1));
            app.background(usize::MAX);
            let position = app.position();
            let (first, len, height) = (position.first, position.extent.len, position.extent.height);
            prop_assert!(first == 0 || first + height <= len, "{keys:?} at {size:?}: {position:?}");
            if let Some(line) = app.panel().cursor_line() {
                let list = app.panel().position(&app.panel_context());
                prop_assert!((list.first..list.first + list.extent.height).contains(&line), "{keys:?} at {size:?}: line {line} of {list:?}");
            }
            if let Mode::Menu(menu) = &app.mode {
                let view = app.menu_view(menu);
                let height = usize::from(view.size.1);
                prop_assert!(view.first == 0 || view.first + height <= view.lines.len(), "{keys:?} at {size:?}");
                prop_assert!((view.first..view.first + height).contains(&view.selected), "{keys:?} at {size:?}");
            }
        }
    }
}

#[test]
fn the_help_is_searched_and_esc_shows_all_of_it_again() {
    let mut app = three();
    let lines = |app: &App| {
        let Mode::Help(page) = &app.mode else { panic!("{:?}", app.mode) };
        app.help_lines(page).len()
    };
    press(&mut app, "?");
    let all = lines(&app);
    press(&mut app, "/cursor");
    let found = lines(&app);
    assert!(found > 0 && found < all);
    press(&mut app, "q?");
    assert_eq!(lines(&app), 0, "letters are typed");
    code(&mut app, KeyCode::Backspace);
    code(&mut app, KeyCode::Backspace);
    enter(&mut app);
    assert_eq!(lines(&app), found);
    code(&mut app, KeyCode::Esc);
    assert_eq!(lines(&app), all);
    code(&mut app, KeyCode::Esc);
    assert!(matches!(app.mode, Mode::Normal));
}

#[test]
fn esc_clears_the_notice_then_the_filter_and_keeps_the_row() {
    let mut app = three();
    press(&mut app, "j/proto:tcp ");
    enter(&mut app);
    let row = selected(&app);
    press(&mut app, "@");
    assert!(notice(&app).contains("does nothing here"), "{}", notice(&app));
    code(&mut app, KeyCode::Esc);
    assert_eq!((notice(&app).as_str(), app.panels.connections.view.filter().is_empty()), ("", false));
    code(&mut app, KeyCode::Esc);
    assert!(app.panels.connections.view.filter().is_empty());
    assert_eq!((selected(&app), app.panel().is_picked()), (row, true));
    press(&mut app, "@");
    assert_eq!(notice(&app), "", "that a key does nothing is said once");
}

/// One of many sockets: of several processes, peers, ports and states.
fn of_many(cookie: u64) -> crate::model::testing::SocketBuilder {
    let number = u32::try_from(cookie).expect("small");
    let holder = process(100 + number, "worker");
    let socket = match cookie % 3 {
        0 => listener(cookie, 2_000 + u16::try_from(cookie).expect("small")),
        1 => tcp(cookie).local(&format!("10.0.0.7:{}", 40_000 + cookie)).remote(&format!("10.0.{}.9:443", cookie % 40)),
        _ => tcp(cookie)
            .local(&format!("10.0.0.7:{}", 40_000 + cookie))
            .remote("10.0.0.20:5432")
            .state(TcpState::CloseWait),
    };
    socket.held_by(&[holder])
}

#[test]
fn a_click_on_another_cell_of_the_picked_row_chooses_it_and_one_on_the_chosen_cell_opens() {
    let mut app = app_with(|config| config.size = (120, 40), (1..=3).map(tcp).collect());
    let body = app.layout().expect("large enough").body;
    let columns = &app.panels.connections.columns;
    let x_of = |key: &str| {
        let shown = columns.shown(120);
        shown.iter().find(|span| COLUMNS[span.index].key == key).map(|span| span.x).expect("shown")
    };
    let (remote, state) = (x_of("remote"), x_of("state"));
    click(&mut app, (remote, body.y + 1));
    assert_eq!(selected(&app), Some(2));
    click(&mut app, (state, body.y + 1));
    assert!(matches!(app.page, Page::Tab), "another cell");
    press(&mut app, "=");
    assert_eq!(app.panels.connections.view.filter().text(), "state:established");
    click(&mut app, (state, body.y + 1));
    assert!(is_detail(&app, 2), "a double click");
}
