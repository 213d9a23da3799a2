//! Keys in, state and effects out.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;

use super::*;
use crate::app::menu::{Menu, MenuChoice};
use crate::app::mode::{Confirm, Stage};
use crate::app::panels::groups::GroupPanel;
use crate::app::panels::table;
use crate::app::pending::PENDING_BYTES_MAX;
use crate::app::selection::Selected;
use crate::app::tabs::PanelFace;
use crate::model::action::{KillOutcome, KillReport, Signal};
use crate::model::delta::{AgeBasis, Delta, Removed, SampleIntervals, Since};
use crate::model::process::{Holders, Names, Owner, Process};
use crate::model::snapshot::{Abilities, SourceKind};
use crate::model::socket::{NetnsId, SocketId};
use crate::model::tcp_state::TcpState;
use crate::model::testing::{BOOT, connection, listener, process, source_info, tcp};
use crate::model::time::{Timestamp, WallTime};
use crate::table::connections::COLUMNS;
use crate::table::filter::Filter;
use crate::table::sort::SortKey;

/// An app of 80x24 on `sockets`, of which the first is the oldest in its state.
fn app_on(sockets: Vec<crate::model::testing::SocketBuilder>) -> App {
    app_with(|_| {}, sockets)
}

fn app_with(change: impl FnOnce(&mut Config), sockets: Vec<crate::model::testing::SocketBuilder>) -> App {
    let mut config = Config { protected: vec![(1, Protection::Init)], ..Config::new(source_info(), (80, 24)) };
    change(&mut config);
    let mut app = App::new(config);
    // These stories are about single sockets; those about folded lines are in `folded`.
    app.panels.connections.fold_by(None);
    let added = sockets.into_iter().enumerate().map(|(at, socket)| {
        let mut connection = connection(socket, 0);
        connection.state_since =
            Some(Since { at: Timestamp::from_millis(1_000 + at as u64), basis: AgeBasis::Observed });
        connection
    });
    let first = Delta { added: added.collect(), ..delta(100) };
    app.turn(Msg::Delta(Box::new(first)));
    app
}

fn delta(seconds: u64) -> Delta {
    let millis = seconds * 1_000;
    Delta {
        at: Timestamp::from_millis(millis),
        wall: WallTime(BOOT.0.saturating_add_unsigned(millis)),
        ..Delta::default()
    }
}

fn send(app: &mut App, delta: Delta) -> Vec<Effect> {
    app.turn(Msg::Delta(Box::new(delta)))
}

fn removed(cookie: u64, seconds: u64) -> Removed {
    Removed { id: id(cookie), at: Timestamp::from_millis(seconds * 1_000) }
}

const fn id(cookie: u64) -> SocketId {
    SocketId::from_cookie(cookie, NetnsId(0))
}

fn code(app: &mut App, code: KeyCode) -> Vec<Effect> {
    app.turn(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn press(app: &mut App, keys: &str) -> Vec<Effect> {
    keys.chars().flat_map(|key| code(app, KeyCode::Char(key))).collect()
}

fn enter(app: &mut App) -> Vec<Effect> {
    code(app, KeyCode::Enter)
}

fn selected(app: &App) -> Option<u64> {
    app.panels.connections.cursor.key()?.cookie()
}

fn notice(app: &App) -> String {
    app.notices.latest().map_or_else(String::new, |(notice, _)| notice.text.to_string())
}

fn nginx() -> Arc<Process> {
    process(812, "nginx")
}

fn three() -> App {
    app_on((1..=3).map(|cookie| tcp(cookie).held_by(&[nginx()])).collect())
}

#[test]
fn the_selection_follows_its_connection_when_the_order_changes() {
    let mut app = three();
    assert_eq!(selected(&app), Some(1));
    press(&mut app, "j");
    assert_eq!(selected(&app), Some(2));
    press(&mut app, "I");
    assert_eq!((selected(&app), app.panels.connections.cursor.line()), (Some(2), Some(1)));
    press(&mut app, "j");
    let chosen = selected(&app);
    press(&mut app, "I");
    assert_eq!(selected(&app), chosen);
    assert_ne!(app.panels.connections.cursor.line(), Some(2));
}

#[test]
fn new_rows_above_do_not_take_the_selection() {
    let mut app = three();
    press(&mut app, "s^jj");
    enter(&mut app);
    press(&mut app, "jjj");
    let chosen = selected(&app);
    let added = (100..140).map(|cookie| connection(tcp(cookie).held_by(&[nginx()]), 0)).collect();
    send(&mut app, Delta { added, ..delta(101) });
    assert!(chosen.is_some());
    assert_eq!(selected(&app), chosen);
}

#[test]
fn a_frozen_screen_holds_deltas_and_applies_them_afterwards() {
    let mut app = three();
    press(&mut app, "z");
    send(&mut app, Delta { added: vec![connection(tcp(9), 101_000)], ..delta(101) });
    app.background(usize::MAX);
    assert_eq!((app.store.rows().counts().total(), app.pending.len()), (3, 1));
    assert_eq!(app.pending.behind(app.store.at()), Duration::from_secs(1));
    press(&mut app, "z");
    assert_eq!((app.store.rows().counts().total(), app.pending.len()), (4, 0));
}

#[test]
fn a_screen_frozen_for_long_holds_no_more_than_the_sockets_there_are_and_is_up_to_date_afterwards() {
    for keys in ["z", "jK", "jX"] {
        let mut app = app_on((1..=500).map(|cookie| tcp(cookie).held_by(&[nginx()])).collect());
        press(&mut app, keys);
        let mut bytes = Vec::new();
        for second in 101..1_101 {
            let busy = |cookie| {
                connection(tcp(cookie).queues(u32::try_from(second).expect("small"), 0).held_by(&[nginx()]), 0)
            };
            // Two that come and go within a second, for each second.
            let (came, gone) = (10_000 + second * 2, 10_000 + second * 2 - 2);
            let added = [came, came + 1].map(|cookie| connection(tcp(cookie), second * 1_000)).to_vec();
            let went = if second > 101 { vec![removed(gone, second), removed(gone + 1, second)] } else { vec![] };
            let effects =
                send(&mut app, Delta { added, changed: (1..=500).map(busy).collect(), removed: went, ..delta(second) });
            assert!(effects.is_empty(), "{effects:?}");
            app.background(usize::MAX);
            bytes.push(app.pending.bytes());
        }
        assert_eq!((app.pending.len(), app.store.at()), (1_000, delta(100).at));
        assert!(bytes[999] <= bytes[99] + bytes[99] / 4, "{keys}: {} and then {}", bytes[99], bytes[999]);
        assert!(bytes[999] < 2 * 1024 * 1024, "{}", bytes[999]);
        code(&mut app, if keys == "z" { KeyCode::Char('z') } else { KeyCode::Esc });
        app.background(usize::MAX);
        assert_eq!((app.pending.len(), app.pending.bytes(), app.store.at()), (0, 0, delta(1_100).at));
        assert_eq!(app.store.rows().counts().total(), 502);
    }
}

#[test]
fn too_much_for_memory_pauses_sampling_and_it_goes_on_afterwards() {
    let mut app = three();
    press(&mut app, "z");
    let many = PENDING_BYTES_MAX as u64 / 200;
    let added = (100..100 + many).map(|cookie| connection(tcp(cookie), 101_000)).collect();
    let mut effects = send(&mut app, Delta { added, ..delta(101) });
    effects.extend(app.background(usize::MAX));
    assert_eq!(effects, [Effect::Pause(true)]);
    assert!(notice(&app).contains("z resumes"));
    // What was on its way is still kept.
    send(&mut app, Delta { removed: vec![removed(100, 102)], ..delta(102) });
    assert_eq!(press(&mut app, "z"), [Effect::Pause(false)]);
    app.background(usize::MAX);
    assert_eq!(u64::from(app.store.rows().counts().total()), 3 + many - 1);
}

#[test]
fn other_network_namespaces_come_with_the_next_sample_and_go_again() {
    let mut app = three();
    let wanted = |all_namespaces| Effect::Collect(Needs { all_namespaces, ..Needs::default() });
    assert_eq!(press(&mut app, "N"), [wanted(true), Effect::Sample]);
    assert!(app.config.settings.all_namespaces);
    assert_eq!(press(&mut app, "N"), [wanted(false), Effect::Sample]);
    app.config.source.kind = SourceKind::Replay;
    assert!(press(&mut app, "N").is_empty() && !app.config.settings.all_namespaces);
    assert!(
        app.notices.latest().is_some_and(|(notice, _)| notice.text.as_str().contains("no other network namespaces"))
    );
}

#[test]
fn the_column_of_namespaces_is_shown_while_there_are_several() {
    let mut app = three();
    let is_shown = |app: &App| {
        let columns = &app.panels.connections.columns;
        columns.shown(120).iter().any(|place| columns.all[place.index].key == "netns_name")
    };
    assert!(!is_shown(&app));
    let namespaces = [(NetnsId(0), "own".into()), (NetnsId(7), "blue".into())].into();
    let names = Arc::new(Names { namespaces, ..Names::default() });
    send(&mut app, Delta { names, ..delta(101) });
    assert!(is_shown(&app));
}

#[test]
fn nothing_moves_under_an_open_kill_dialog() {
    let mut app = three();
    press(&mut app, "jK");
    send(&mut app, Delta { removed: vec![removed(1, 101)], ..delta(101) });
    assert_eq!(app.store.rows().counts().total(), 3);
    code(&mut app, KeyCode::Esc);
    assert_eq!(app.store.rows().counts().total(), 2);
}

#[test]
fn a_kill_does_exactly_what_its_dialog_shows() {
    let mut app = three();
    press(&mut app, "jK");
    assert!(enter(&mut app).is_empty());
    let Mode::Confirm(Confirm { effect, holds, user, .. }) = &app.mode else { panic!("{:?}", app.mode) };
    let (shown, holds, user) = (effect.clone(), holds.clone(), user.clone());
    assert_eq!((holds.as_str(), user.as_str()), ("3 ESTABLISHED with 1 peer", "1000"));
    let Effect::Kill(kill) = &shown else { panic!("{shown:?}") };
    assert_eq!((kill.process, kill.signal, kill.name.as_str()), (nginx().id, Signal::Term, "nginx"));
    assert_eq!(press(&mut app, "y"), [shown]);
    assert!(matches!(app.mode, Mode::Normal));
}

#[test]
fn a_kill_works_while_the_screen_is_frozen() {
    let mut app = three();
    press(&mut app, "zjK");
    enter(&mut app);
    assert!(matches!(press(&mut app, "y").as_slice(), [Effect::Kill(_)]));
    assert!(app.frozen);
}

#[test]
fn the_signal_kill_needs_a_second_yes_by_another_key() {
    let mut app = three();
    press(&mut app, "jKjjj");
    enter(&mut app);
    assert!(press(&mut app, "y").is_empty());
    assert!(matches!(&app.mode, Mode::Confirm(Confirm { stage: Stage::AskAgain, .. })));
    assert!(press(&mut app, "yyy").is_empty());
    assert!(enter(&mut app).is_empty());
    let effects = press(&mut app, "K");
    assert!(matches!(effects.as_slice(), [Effect::Kill(kill)] if kill.signal == Signal::Kill), "{effects:?}");
}

#[test]
fn pasted_text_confirms_nothing() {
    let mut app = three();
    press(&mut app, "jK");
    enter(&mut app);
    assert!(app.turn(Msg::Paste("y\nK\n".into())).is_empty());
    assert!(matches!(app.mode, Mode::Confirm(_)));
}

#[test]
fn of_several_owners_one_is_chosen_first() {
    let mut app = app_on(vec![tcp(1).held_by(&[nginx(), process(813, "nginx")])]);
    press(&mut app, "^K");
    assert!(
        matches!(&app.mode, Mode::Menu(Menu { choice: MenuChoice::Owner { owners, .. }, .. }) if owners.len() == 2)
    );
    press(&mut app, "j");
    enter(&mut app);
    assert!(
        matches!(&app.mode, Mode::Menu(Menu { choice: MenuChoice::Signal { process, .. }, .. }) if process.id.pid == 813)
    );
}

#[test]
fn a_refusal_is_a_sentence_and_opens_nothing() {
    let remembered = Owner::Remembered(Arc::new(Holders::new(vec![nginx()]).expect("one process")));
    let cases = [
        (Owner::Hidden, "its process is hidden"),
        (Owner::Unaccepted, "no process has accepted"),
        (Owner::None, "no process holds"),
        (remembered, "nginx[812] has closed this socket"),
    ];
    for (owner, words) in cases {
        let mut app = app_on(vec![tcp(1).owner(owner)]);
        press(&mut app, "^K");
        assert!(notice(&app).contains(words), "{}", notice(&app));
        assert!(matches!(app.mode, Mode::Normal));
    }
}

#[test]
fn protected_processes_and_sources_without_hands_are_refused() {
    let init = || vec![tcp(1).held_by(&[process(1, "init")])];
    let mut app = app_on(init());
    press(&mut app, "^K");
    assert_eq!(notice(&app), Protection::Init.sentence());
    let mut app = app_with(|config| config.settings.read_only = true, init());
    press(&mut app, "^K");
    assert!(notice(&app).contains("--read-only"), "{}", notice(&app));
    let recording = |config: &mut Config| {
        config.source.kind = SourceKind::Replay;
        config.source.abilities = Abilities::default();
    };
    let mut app = app_with(recording, init());
    press(&mut app, "^K");
    assert_eq!(notice(&app), "a recording cannot be acted on");
    assert!(matches!(app.mode, Mode::Normal));
}

#[test]
fn a_term_that_does_nothing_offers_kill() {
    let mut app = three();
    press(&mut app, "E");
    assert!(matches!(app.mode, Mode::Normal));
    let kill = Kill { process: nginx().id, name: "nginx".into(), signal: Signal::Term, holding: Vec::new() };
    let outcome = KillOutcome::StillRunning { after: Duration::from_secs(5) };
    app.turn(Msg::Kill(KillReport { kill: kill.clone(), outcome }));
    assert!(notice(&app).contains("still running 5.0s after TERM"), "{}", notice(&app));
    press(&mut app, "E");
    assert!(
        matches!(&app.mode, Mode::Confirm(confirm) if confirm.kill().is_some_and(|kill| kill.signal == Signal::Kill))
    );
    code(&mut app, KeyCode::Esc);
    app.turn(Msg::Kill(KillReport { kill, outcome: KillOutcome::Ended { after: Duration::from_secs(6) } }));
    assert!(app.offer().is_none());
}

#[test]
fn the_filter_is_previewed_while_it_is_typed_and_undone_by_escape() {
    let mut app = app_on(vec![tcp(1), tcp(2).state(TcpState::CloseWait), listener(3, 80)]);
    press(&mut app, "/state:close-wait");
    assert_eq!(app.panels.connections.view.order().len(), 1);
    code(&mut app, KeyCode::Esc);
    assert_eq!(app.panels.connections.view.order().len(), 3);
    assert!(matches!(app.mode, Mode::Normal));
}

#[test]
fn a_filter_that_cannot_be_understood_stays_open_with_its_error() {
    let mut app = three();
    press(&mut app, "/nosuch:1");
    enter(&mut app);
    let Mode::Filter(edit) = &app.mode else { panic!("{:?}", app.mode) };
    assert!(edit.error.as_ref().is_some_and(|error| error.message.contains("nosuch")), "{:?}", edit.error);
    app.turn(Msg::Key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL)));
    press(&mut app, "state:established");
    enter(&mut app);
    assert!(matches!(app.mode, Mode::Normal));
    assert_eq!(app.panels.connections.view.filter().text(), "state:established");
    assert!(app.title().contains("3 of 3 · state:established"), "{}", app.title());
}

#[test]
fn the_table_is_never_empty_because_of_a_word_that_is_typed_by_half() {
    let mut app = app_on(vec![
        tcp(1).held_by(&[nginx()]),
        tcp(2).state(TcpState::CloseWait).held_by(&[process(900, "other")]),
        listener(3, 443).held_by(&[nginx()]),
    ]);
    press(&mut app, "/");
    for key in "(state:close-wait or rport:40000) process:other !pid:77 age<1000d".chars() {
        press(&mut app, &key.to_string());
        assert!(!app.panels.connections.view.order().is_empty(), "{:?}", app.mode);
    }
    assert_eq!(app.panels.connections.view.order().len(), 1);
    let mut app = three();
    press(&mut app, "/nginx lport:7");
    let Mode::Filter(edit) = &app.mode else { panic!("{:?}", app.mode) };
    assert_eq!(edit.left_out, Some(filter_edit::WordLeftOut::NothingPasses));
    assert_eq!((app.panels.connections.view.filter().text(), app.panels.connections.view.order().len()), ("nginx", 3));
    enter(&mut app);
    assert_eq!(app.panels.connections.view.filter().text(), "nginx lport:7", "Enter finishes it");
    assert!(app.panels.connections.view.order().is_empty());
}

#[test]
fn a_filter_is_saved_under_a_name_and_found_again_by_it() {
    let mut app = three();
    let save = |app: &mut App| app.turn(Msg::Key(KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL)));
    save(&mut app);
    assert_eq!(notice(&app), "there is no filter to save; write one first");
    press(&mut app, "/proto:tcp nosuch:1");
    save(&mut app);
    assert!(matches!(&app.mode, Mode::Filter(edit) if edit.error.is_some() && edit.is_filter()), "{:?}", app.mode);
    (0.." nosuch:1".len()).for_each(|_| drop(code(&mut app, KeyCode::Backspace)));
    save(&mut app);
    press(&mut app, "tcp only");
    enter(&mut app);
    assert!(notice(&app).starts_with("a name has 1 to 32 letters"), "{}", notice(&app));
    save(&mut app);
    press(&mut app, "tcp-only");
    enter(&mut app);
    assert!(notice(&app).starts_with("@tcp-only is this filter from now on"), "{}", notice(&app));
    code(&mut app, KeyCode::Esc);
    code(&mut app, KeyCode::Esc);
    assert!(app.panels.connections.view.filter().is_empty());
    press(&mut app, "/@t");
    code(&mut app, KeyCode::Tab);
    let Mode::Filter(edit) = &app.mode else { panic!("{:?}", app.mode) };
    assert_eq!(edit.line.text(), "@tcp-only");
    enter(&mut app);
    assert_eq!(app.panels.connections.view.filter().text(), "proto:tcp");
}

#[test]
fn an_accepted_filter_is_found_again_in_the_history() {
    let mut app = three();
    press(&mut app, "/proto:tcp");
    enter(&mut app);
    code(&mut app, KeyCode::Esc);
    assert!(app.panels.connections.view.filter().is_empty());
    press(&mut app, "/");
    code(&mut app, KeyCode::Up);
    enter(&mut app);
    assert_eq!(app.panels.connections.view.filter().text(), "proto:tcp");
}

#[test]
fn enter_on_a_process_shows_its_connections() {
    let mut app = app_on(vec![tcp(1).held_by(&[nginx()]), tcp(2).held_by(&[process(900, "other")])]);
    press(&mut app, "2");
    let groups = &app.panels.processes.view;
    let line = groups.from(0).position(|group| group.process.as_ref().is_some_and(|p| p.id.pid == 900)).expect("other");
    (0..=line).for_each(|_| drop(press(&mut app, "j")));
    enter(&mut app);
    assert_eq!((app.tab, app.panels.connections.view.filter().text()), (Tab::Connections, "pid:900"));
    assert_eq!(app.panels.connections.view.order().len(), 1);
}

#[test]
fn every_group_opens_with_a_filter_that_parses_and_matches() {
    let sockets = || {
        vec![
            tcp(1).held_by(&[nginx()]),
            tcp(2).owner(Owner::Hidden),
            tcp(3).owner(Owner::Unaccepted),
            tcp(4),
            listener(5, 80).held_by(&[nginx()]),
            tcp(6).local("[::1]:80").remote("[2001:db8::1]:5000"),
            listener(7, 9090).local("127.0.0.1:9090"),
        ]
    };
    for tab in [Tab::Processes, Tab::Remotes, Tab::Listeners] {
        let mut app = app_on(sockets());
        app.show(tab);
        app.background(usize::MAX);
        let len = groups(&app, tab).view.len();
        assert!(len > 0);
        for line in 0..len {
            let mut app = app_on(sockets());
            app.show(tab);
            app.background(usize::MAX);
            (0..line).for_each(|_| drop(press(&mut app, "j")));
            enter(&mut app);
            assert_eq!(app.tab, Tab::Connections, "{tab:?} {line}");
            let filter = app.panels.connections.view.filter().text().to_owned();
            assert!(!filter.is_empty() && !app.panels.connections.view.order().is_empty(), "{tab:?} {filter}");
        }
    }
}

#[test]
fn details_stay_when_the_connection_is_gone() {
    let mut app = three();
    enter(&mut app);
    send(&mut app, Delta { removed: vec![removed(1, 101)], ..delta(101) });
    (102..120).for_each(|second| drop(send(&mut app, delta(second))));
    assert!(app.store.rows().find(id(1)).is_none());
    let text = format!("{:?}", detail::columns(&app, 120));
    assert!(text.contains("This connection is gone") && text.contains("nginx[812]"), "{text}");
    code(&mut app, KeyCode::Esc);
    assert!(matches!(app.page, Page::Tab));
}

#[test]
fn only_what_is_visible_is_collected_and_only_told_once() {
    let mut app = three();
    press(&mut app, "j");
    let effects = enter(&mut app);
    let [Effect::Collect(needs)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((needs.usage.as_slice(), needs.details.len()), (&[nginx().id][..], 1));
    assert!(send(&mut app, delta(101)).is_empty());
    let effects = code(&mut app, KeyCode::Esc);
    assert_eq!(effects, [Effect::Collect(Needs::default())]);
    let effects = press(&mut app, "2");
    assert!(matches!(effects.as_slice(), [Effect::Collect(needs)] if needs.usage == [nginx().id]), "{effects:?}");
}

#[test]
fn escape_goes_back_one_step_at_a_time() {
    let mut app = three();
    press(&mut app, "/proto:tcp");
    enter(&mut app);
    press(&mut app, "j");
    enter(&mut app);
    press(&mut app, "?");
    code(&mut app, KeyCode::Esc);
    assert!(matches!((&app.mode, &app.page), (Mode::Normal, Page::Detail(_))));
    code(&mut app, KeyCode::Esc);
    assert!(matches!(app.page, Page::Tab));
    assert!(!app.panels.connections.view.filter().is_empty() && selected(&app).is_some());
    code(&mut app, KeyCode::Esc);
    assert!(app.panels.connections.view.filter().is_empty());
    assert_eq!(app.panels.connections.cursor.line(), Some(1));
    code(&mut app, KeyCode::Esc);
    assert_eq!(app.panels.connections.cursor.line(), Some(1), "Esc never moves the cursor");
}

#[test]
fn escape_leads_from_the_connections_of_a_group_back_to_the_groups() {
    let mut app = three();
    press(&mut app, "/proto:tcp");
    enter(&mut app);
    press(&mut app, "2");
    enter(&mut app);
    assert_eq!((app.tab, app.panels.connections.view.filter().text()), (Tab::Connections, "(proto:tcp) pid:812"));
    code(&mut app, KeyCode::Esc);
    assert_eq!((app.tab, app.panels.connections.view.filter().text()), (Tab::Processes, "proto:tcp"));
    enter(&mut app);
    press(&mut app, "21");
    code(&mut app, KeyCode::Esc);
    assert_eq!((app.tab, app.panels.connections.view.filter().text()), (Tab::Connections, ""));
}

#[test]
fn a_failed_sample_keeps_the_data_and_says_why() {
    let mut app = three();
    app.turn(Msg::SourceFailed("the kernel said no".into()));
    assert_eq!(app.store.rows().counts().total(), 3);
    assert_eq!(notice(&app), "the kernel said no");
    assert_eq!(app.source_status, SourceStatus::Failed("the kernel said no".into()));
    send(&mut app, delta(101));
    assert_eq!(app.source_status, SourceStatus::Flowing);
}

#[test]
fn nothing_is_drawn_when_nothing_changed() {
    let mut app = three();
    assert!(app.take_dirty() && !app.take_dirty());
    // That the key does nothing is said once, and the next key takes it away.
    press(&mut app, "§§");
    assert!(app.take_dirty());
    press(&mut app, "§");
    assert!(!app.take_dirty());
    press(&mut app, "j");
    assert!(app.take_dirty());
    let moved = MouseEvent { kind: MouseEventKind::Moved, column: 3, row: 3, modifiers: KeyModifiers::NONE };
    app.turn(Msg::Mouse(moved));
    assert!(!app.take_dirty());
}

#[test]
fn the_mouse_selects_rows_sorts_by_headings_and_shows_tabs() {
    let mut app = three();
    let layout = app.layout().expect("large enough");
    let click = |app: &mut App, column, row| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        app.turn(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    };
    click(&mut app, 10, layout.body.y + 1);
    assert_eq!(selected(&app), Some(2));
    let before = app.panels.connections.view.sort();
    click(&mut app, table::MARGIN_LEFT, layout.columns.y);
    assert_ne!(app.panels.connections.view.sort(), before);
    let places = layout::tab_places(layout.tabs.width, app.title_width(), app.tab);
    click(&mut app, places[1].x, layout.tabs.y);
    assert_eq!(app.tab, Tab::Processes);
}

#[test]
fn the_wheel_moves_nothing_under_a_dialog() {
    let mut app = app_on((1..=40).map(|cookie| tcp(cookie).held_by(&[nginx()])).collect());
    press(&mut app, "jK");
    enter(&mut app);
    let before = selected(&app);
    let wheel = MouseEvent { kind: MouseEventKind::ScrollDown, column: 3, row: 12, modifiers: KeyModifiers::NONE };
    app.turn(Msg::Mouse(wheel));
    assert_eq!(selected(&app), before);
    code(&mut app, KeyCode::Esc);
    app.turn(Msg::Mouse(wheel));
    assert_ne!(selected(&app), before);
}

#[test]
fn the_interval_is_stepped_within_bounds() {
    let mut app = three();
    assert_eq!(press(&mut app, "+"), [Effect::Interval(Duration::from_secs(2))]);
    let faster: Vec<_> = (0..20).flat_map(|_| press(&mut app, "-")).collect();
    assert_eq!(faster.last(), Some(&Effect::Interval(Duration::from_millis(100))));
}

/// The groups of `tab`.
fn groups(app: &App, tab: Tab) -> &GroupPanel {
    match app.panels.face(tab) {
        PanelFace::Processes(panel) | PanelFace::Remotes(panel) | PanelFace::Listeners(panel) => panel,
        _ => panic!("{tab:?} has no groups"),
    }
}

/// The connection of the selected line of the log.
fn selected_entry(app: &App) -> Option<SocketId> {
    match app.selected() {
        Selected::LogLine(number) => app.panels.log.line(&app.store, number).map(|line| line.transition().id),
        _ => None,
    }
}

#[test]
fn the_log_stands_still_while_an_entry_is_selected() {
    let mut app = three();
    let transition = |cookie: u64, seconds: u64| {
        let (from, to) = (Some(TcpState::Established), Some(TcpState::CloseWait));
        crate::model::testing::transition(tcp(cookie), seconds * 1_000, from, to)
    };
    press(&mut app, "8");
    send(&mut app, Delta { transitions: vec![transition(1, 101), transition(2, 101)], ..delta(101) });
    press(&mut app, "jj");
    assert_eq!(selected_entry(&app), Some(id(1)));
    send(&mut app, Delta { transitions: vec![transition(3, 102)], ..delta(102) });
    assert_eq!(selected_entry(&app), Some(id(1)));
    press(&mut app, "y");
    assert!(matches!(enter(&mut app).as_slice(), [Effect::Copy(_)]));
}

mod cells;
mod clock;
mod close;
mod findings;
mod folded;
mod hands;
mod log;
mod lookups;
mod palette;
mod safety;
mod saving;
mod tags;
mod themes;

#[test]
fn a_listener_tells_what_came_in_by_it_and_a_connection_what_is_like_it() {
    let client = |cookie| tcp(cookie).local("10.0.0.1:80").remote("10.0.0.9:40000").held_by(&[nginx()]);
    let mut app = app_on(vec![listener(1, 80).held_by(&[nginx()]), client(2), client(3).state(TcpState::CloseWait)]);
    app.open_detail(id(1));
    app.background(usize::MAX);
    let text = format!("{:?}", detail::columns(&app, 120));
    for expected in [
        "Its connections",
        "Fact(\"came in by\", \"port 80\")",
        "Fact(\"ESTABLISHED\", \"1\")",
        "Fact(\"CLOSE_WAIT\", \"1\")",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    app.open_detail(id(2));
    app.background(usize::MAX);
    let text = format!("{:?}", detail::columns(&app, 120));
    assert!(text.contains("Others like it") && text.contains("nginx[812] on 10.0.0.1:80"), "{text}");
    assert!(!text.contains("Fact(\"ESTABLISHED\""), "it is not its own neighbour: {text}");
}

/// An app on 3,000 sockets: more than one slice of work.
fn many() -> App {
    let processes: Vec<_> = (0..7).map(|pid| process(100 + pid, ["nginx", "app", "Xorg"][pid as usize % 3])).collect();
    let socket = |cookie: u64| {
        let state = if cookie.is_multiple_of(5) { TcpState::CloseWait } else { TcpState::Established };
        let remote = format!("10.0.{}.{}:{}", cookie % 7, cookie % 251, 40_000 + cookie % 900);
        let holder = std::slice::from_ref(&processes[usize::try_from(cookie % 7).expect("small")]);
        tcp(cookie).remote(&remote).state(state).queues(u32::try_from(cookie % 90).expect("small"), 0).held_by(holder)
    };
    app_on((1..=3_000).map(socket).collect())
}

/// The rows that the table of connections shows.
fn shown(app: &App) -> Vec<u64> {
    let id = |index| app.store.rows().get(index)?.connection.socket.id.cookie();
    app.panels.connections.view.order().iter().filter_map(|index| id(*index)).collect()
}

#[test]
fn a_key_is_answered_at_once_and_what_takes_longer_comes_in_slices() {
    let mut app = many();
    app.background(usize::MAX);
    assert!(!app.is_busy());
    app.take_dirty();
    let before = shown(&app);
    // Without the work of a turn, as with a far larger table.
    let descending = SortKey::parse(COLUMNS, "-recvq").expect("a column");
    app.panels.connections.view.start_sort(descending);
    app.background(100);
    assert!(app.is_busy() && app.title().contains("sorting…"), "{}", app.title());
    assert_eq!(shown(&app), before, "the old order stands meanwhile");
    press(&mut app, "j");
    assert!(selected(&app).is_some(), "keys work meanwhile");
    let chosen = selected(&app);
    while app.is_busy() {
        app.background(100);
    }
    assert!(app.take_dirty());
    assert_ne!(shown(&app), before);
    assert_eq!(selected(&app), chosen, "the selection follows its row into the new order");
    assert!(!app.title().contains("sorting…"));
}

#[test]
fn samples_wait_while_there_is_work_and_none_is_lost() {
    let mut app = many();
    app.background(usize::MAX);
    app.panels.connections.view.start_filter(Filter::parse("state:close-wait").expect("valid"));
    let removed = (1..=1_000).map(|cookie| removed(cookie, 101)).collect();
    app.pending.push(Delta { removed, ..delta(101) });
    app.background(500);
    assert_eq!(app.store.at(), delta(100).at, "one thing after the other");
    app.background(usize::MAX);
    assert_eq!((app.store.at(), app.store.rows().counts().total()), (delta(101).at, 2_000));
    assert_eq!(app.panels.connections.live, 400);
    assert!(!app.is_busy());
}

#[test]
fn a_large_table_is_dropped_while_another_is_shown_and_keeps_its_selection() {
    let mut app = many();
    press(&mut app, "3");
    app.background(usize::MAX);
    press(&mut app, "jjj");
    let remotes = |app: &App| {
        let table = &app.panels.remotes;
        (table.view.len(), table.cursor.key())
    };
    let before = remotes(&app);
    assert!(before.0 > 2_000 && before.1.is_some(), "{before:?}");
    press(&mut app, "1");
    assert_eq!(remotes(&app), (0, before.1));
    press(&mut app, "3");
    app.background(usize::MAX);
    assert_eq!(remotes(&app), before);
}

#[test]
fn a_dialog_over_many_sockets_counts_them_all() {
    let mut app = many();
    app.background(usize::MAX);
    press(&mut app, "jK");
    enter(&mut app);
    app.background(usize::MAX);
    let Mode::Confirm(confirm) = &app.mode else { panic!("{:?}", app.mode) };
    assert_eq!(confirm.holds, "344 ESTABLISHED, 85 CLOSE_WAIT with 251 peers");
}

/// Does all the work that waits, a little at a time.
fn settle(app: &mut App) {
    while app.is_busy() {
        app.background(97);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn slices_of_any_size_lead_to_the_same_screen(
        keys in proptest::collection::vec(proptest::sample::select(vec!["j", "G", ">", "<", "I", "2", "3", "4", "1", "/close\n", "/10.0.3\n", "j\n", "\u{1b}", "z", "K"]), 1..12),
        slices in proptest::collection::vec(1usize..4_000, 1..12),
    ) {
        let (mut sliced, mut whole) = (many(), many());
        for (second, (key, slice)) in (101..).zip(keys.iter().zip(slices.iter().cycle())) {
            for (app, steps) in [(&mut sliced, *slice), (&mut whole, usize::MAX)] {
                for character in key.chars() {
                    // These keys act on what is shown now (the row under the cursor, the rows to freeze): that must be
                    // the same.
                    if "jGKz\n".contains(character) {
                        settle(app);
                    }
                    let pressed = match character {
                        '\n' => KeyCode::Enter,
                        '\u{1b}' => KeyCode::Esc,
                        character => KeyCode::Char(character),
                    };
                    code(app, pressed);
                }
                let cookie = second - 100;
                let added = vec![connection(tcp(10_000 + cookie).held_by(&[nginx()]), second * 1_000)];
                let changed = vec![connection(tcp(2_000 + cookie).queues(7, 7), 0)];
                send(app, Delta { added, changed, removed: vec![removed(cookie, second)], ..delta(second) });
                app.background(steps);
            }
        }
        settle(&mut sliced);
        settle(&mut whole);
        prop_assert_eq!(shown(&sliced), shown(&whole));
        prop_assert_eq!(sliced.title(), whole.title());
        prop_assert!(sliced.panels.findings.iter().eq(whole.panels.findings.iter()));
        prop_assert_eq!(sliced.processes, whole.processes);
        for tab in [Tab::Processes, Tab::Remotes, Tab::Listeners] {
            let keys = |app: &App| groups(app, tab).view.from(0).cloned().collect::<Vec<_>>();
            if sliced.tab == tab {
                prop_assert_eq!(keys(&sliced), keys(&whole));
            }
        }
    }
}

#[test]
fn the_rows_on_the_screen_are_asked_for_where_samples_are_partial() {
    let mut app = app_on((0..50).map(tcp).collect());
    let asked = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Collect(needs) => Some(needs.visible.len()),
            _ => None,
        })
    };
    assert_eq!(asked(&send(&mut app, delta(101))), None, "every sample has them all");
    let sample_intervals = SampleIntervals { full_every: Some(Duration::from_secs(5)), ..SampleIntervals::default() };
    let visible = asked(&send(&mut app, Delta { sample_intervals, ..delta(102) }));
    assert!(visible.is_some_and(|count| (10..24).contains(&count)), "{visible:?} rows of a screen of 24");
    assert_eq!(asked(&send(&mut app, Delta { sample_intervals, ..delta(103) })), None, "once is enough");
    assert_eq!(asked(&send(&mut app, delta(104))), Some(0));
}

#[test]
fn the_filter_holds_for_groups_too() {
    let held = |cookie: u64, remote: &str| tcp(cookie).remote(remote).held_by(&[nginx()]);
    let other = tcp(3).remote("10.0.0.9:443").held_by(&[process(77, "curl")]);
    let mut app = app_on(vec![held(1, "10.0.0.2:5000"), held(2, "10.0.0.2:5001"), other]);
    press(&mut app, "2");
    assert_eq!((app.title().as_str(), app.panels.processes.view.len()), ("2", 2));
    // It is typed where one is, and is in force while it is typed.
    press(&mut app, "/rport:443");
    assert_eq!(app.tab, Tab::Processes);
    assert_eq!(app.title(), "1 · rport:443");
    enter(&mut app);
    let sockets = |app: &App| groups(app, app.tab).view.sockets();
    assert_eq!(sockets(&app), 1);
    press(&mut app, "3");
    assert_eq!((app.title().as_str(), sockets(&app)), ("1 · rport:443", 1));
    // A group leads to the connections that were added up, and Esc back.
    press(&mut app, "2");
    enter(&mut app);
    assert_eq!((app.tab, app.title().as_str()), (Tab::Connections, "1 of 3 · (rport:443) pid:77"));
    code(&mut app, KeyCode::Esc);
    assert_eq!((app.tab, app.title().as_str()), (Tab::Processes, "1 · rport:443"));
    code(&mut app, KeyCode::Esc);
    assert_eq!((app.title().as_str(), sockets(&app)), ("2", 3));
}
