//! Stories about tagged rows: which are, how many, and what is done to all of them.

use super::*;
use crate::app::effect::{Export, ExportFormat};
use crate::app::tags::{TAGS_MAX, Tag};
use crate::model::closing::{Close, CloseOutcome, CloseReport};
use crate::store::folding::Folding;

fn all() -> Abilities {
    Abilities { kill: true, close: true }
}

/// Sockets of three processes, of which the first has two.
fn held(size: (u16, u16)) -> App {
    let of = |cookie: u64, pid: u32, name: &str| {
        tcp(cookie).remote(&format!("10.0.0.{cookie}:5432")).held_by(&[process(pid, name)])
    };
    let sockets = vec![of(1, 4121, "pool"), of(2, 4121, "pool"), of(3, 812, "nginx"), of(4, 900, "cron")];
    app_with(
        |config| {
            config.size = size;
            config.source.abilities = all();
        },
        sockets,
    )
}

fn tagged(app: &App) -> usize {
    app.tags_here().count()
}

/// The lines of the dialog that is open, its title first.
fn dialog(app: &App) -> Vec<String> {
    let view = app.dialog_view().unwrap_or_else(|| panic!("no dialog: {}", notice(app)));
    [view.title.clone()]
        .into_iter()
        .chain(view.lines.iter().map(|line| format!("{} {}", line.label, line.text)))
        .collect()
}

#[test]
fn space_tags_and_goes_down_and_the_frame_counts() {
    let mut app = held((120, 40));
    press(&mut app, "^ ");
    assert_eq!((tagged(&app), selected(&app)), (1, Some(2)));
    press(&mut app, " ");
    assert!(app.title().starts_with("2 tagged · "), "{}", app.title());
    press(&mut app, "^ ");
    assert!(app.title().starts_with("1 tagged · ") && !app.tags.contains(Tag::Socket(id(1))));
    press(&mut app, "U");
    assert_eq!((tagged(&app), notice(&app).as_str()), (0, "1 row untagged"));
    press(&mut app, "U");
    assert!(notice(&app).contains("no row is tagged"), "{}", notice(&app));
}

#[test]
fn a_tag_goes_with_its_socket_and_leaves_with_it() {
    let mut app = held((120, 40));
    press(&mut app, "^j I");
    assert!(app.tags.contains(Tag::Socket(id(2))), "the order is another one");
    press(&mut app, "*");
    assert_eq!((tagged(&app), notice(&app).as_str()), (4, "4 rows tagged; U untags"));
    send(&mut app, Delta { removed: vec![removed(2, 101)], ..delta(101) });
    assert_eq!(tagged(&app), 3);
    press(&mut app, "2*");
    assert!(app.title().starts_with("3 tagged"), "processes are rows of their own: {}", app.title());
    send(&mut app, Delta { removed: vec![removed(3, 102)], ..delta(102) });
    assert_eq!(tagged(&app), 2);
    press(&mut app, "1");
    assert_eq!(tagged(&app), 2);
}

#[test]
fn all_that_pass_the_filter_are_tagged_and_no_more_than_may_be() {
    let mut app = held((120, 40));
    app.apply_filter("process:pool");
    app.background(usize::MAX);
    press(&mut app, "*");
    app.apply_filter("");
    app.background(usize::MAX);
    assert_eq!(tagged(&app), 2);
    let mut app = app_on((1..=TAGS_MAX as u64 + 1).map(tcp).collect());
    app.background(usize::MAX);
    press(&mut app, "*");
    assert!(notice(&app).starts_with("1,001 rows are more than the 1,000"), "{}", notice(&app));
    assert_eq!(tagged(&app), 0, "all or none");
    app.apply_filter("cookie:1-1000");
    app.background(usize::MAX);
    press(&mut app, "*");
    assert_eq!(tagged(&app), TAGS_MAX);
    app.apply_filter("");
    app.background(usize::MAX);
    press(&mut app, "G ");
    assert!(notice(&app).contains("more than the 1,000"), "{}", notice(&app));
}

#[test]
fn a_tagged_line_stands_for_its_sockets_and_is_gone_with_them() {
    let mut app = held((120, 40));
    app.fold_by(Some(Folding::Process));
    press(&mut app, "*");
    assert_eq!(tagged(&app), 3);
    press(&mut app, "X");
    app.background(usize::MAX);
    let lines = dialog(&app);
    assert_eq!(lines[0], "Close 4 sockets?");
    assert_eq!(lines.iter().filter(|line| line.contains("ESTABLISHED · ")).count(), 4, "{lines:?}");
    code(&mut app, KeyCode::Esc);
    send(&mut app, Delta { removed: vec![removed(4, 101)], ..delta(101) });
    app.background(usize::MAX);
    assert_eq!(tagged(&app), 2);
}

#[test]
fn each_tagged_process_gets_the_signal_once_and_what_came_of_it_is_counted() {
    let mut app = held((120, 40));
    press(&mut app, "*K");
    app.background(usize::MAX);
    enter(&mut app);
    let lines = dialog(&app);
    assert_eq!(lines[0], "Send TERM to 3 processes?");
    for target in ["nginx · pid 812", "cron · pid 900", "pool · pid 4121"] {
        assert!(lines.iter().any(|line| line.contains(target)), "{lines:?}");
    }
    let effects = press(&mut app, "y");
    let kills: Vec<Kill> = effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Kill(kill) => Some(kill),
            _ => None,
        })
        .collect();
    assert_eq!(kills.iter().map(|kill| kill.process.pid).collect::<Vec<_>>(), [812, 900, 4121]);
    assert!(matches!(app.mode, Mode::Normal));
    let outcomes = [KillOutcome::Sent, KillOutcome::AlreadyGone, KillOutcome::NotPermitted];
    for (kill, outcome) in kills.iter().zip(outcomes) {
        assert!(!notice(&app).contains(" of 3 processes"), "not all have come");
        app.turn(Msg::Kill(KillReport { kill: kill.clone(), outcome }));
    }
    assert!(
        notice(&app).starts_with("TERM sent to 1 of 3 processes, 1 gone before, 1 refused: you may not"),
        "{}",
        notice(&app)
    );
    let ended = KillOutcome::Ended { after: Duration::from_secs(1) };
    app.turn(Msg::Kill(KillReport { kill: kills[0].clone(), outcome: ended }));
    assert!(notice(&app).contains("nginx[812] ended"), "what comes later is told of each: {}", notice(&app));
}

#[test]
fn kill_needs_its_second_yes_for_all_and_the_protected_are_left_out() {
    let mut app = held((120, 40));
    app.config.protected.push((812, Protection::Ancestor));
    press(&mut app, "*K");
    app.background(usize::MAX);
    press(&mut app, "jjj");
    enter(&mut app);
    assert!(
        dialog(&app).iter().any(|line| line.contains("left out") && line.contains("nginx[812]")),
        "{:?}",
        dialog(&app)
    );
    assert!(press(&mut app, "y").is_empty());
    assert_eq!(dialog(&app)[0], "Send KILL to 2: sure?");
    assert!(press(&mut app, "y").is_empty(), "another key");
    let effects = press(&mut app, "K");
    assert_eq!(effects.iter().filter(|effect| matches!(effect, Effect::Kill(_))).count(), 2);
}

#[test]
fn the_tagged_sockets_are_closed_in_one_go_and_what_came_of_it_is_counted() {
    let mut app = held((120, 40));
    press(&mut app, "^  X");
    app.background(usize::MAX);
    let effects = press(&mut app, "y");
    let [Effect::CloseAll(closes)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(closes.iter().map(|close: &Close| close.socket.id).collect::<Vec<_>>(), [id(1), id(2)]);
    for (close, outcome) in closes.iter().zip([CloseOutcome::Closed, CloseOutcome::Gone]) {
        app.turn(Msg::Close(CloseReport { close: close.clone(), outcome }));
    }
    assert_eq!(notice(&app), "1 of 2 sockets closed, 1 gone before");
}

#[test]
fn what_may_not_be_done_is_one_sentence_and_no_dialog() {
    for (change, keys) in [
        ((|config: &mut Config| config.settings.read_only = true) as fn(&mut Config), "*K"),
        (|config| config.settings.read_only = true, "*X"),
        (|config| config.may_close = false, "*X"),
        (|config| config.source.abilities = Abilities::default(), "*K"),
    ] {
        let mut app = held((120, 40));
        change(&mut app.config);
        press(&mut app, keys);
        app.background(usize::MAX);
        assert!(matches!(app.mode, Mode::Normal) && notice(&app).len() > 20, "{keys} {}", notice(&app));
    }
}

#[test]
fn a_list_that_does_not_fit_is_read_to_its_end_before_it_can_be_confirmed() {
    for size in [(40, 10), (60, 12), (80, 24), (200, 60)] {
        let sockets =
            (1..=60).map(|cookie| tcp(cookie).remote(&format!("[2001:db8:ffff:ffff:ffff:ffff:ffff:{cookie}]:5432")));
        let change = |config: &mut Config| {
            config.size = size;
            config.source.abilities = all();
        };
        let mut app = app_with(change, sockets.collect());
        press(&mut app, "*X");
        app.background(usize::MAX);
        let (mut pages, mut seen) = (0, Vec::new());
        loop {
            let view = app.dialog_view().expect("a dialog");
            assert!(view.lines.len() + 3 <= usize::from(size.1), "{size:?}");
            assert!(
                view.lines
                    .iter()
                    .all(|line| crate::table::cut::cells(&line.text) <= usize::from(view.width - view.label_width))
            );
            seen.extend(view.lines.iter().map(|line| line.text.clone()));
            if view.is_whole {
                break;
            }
            assert!(press(&mut app, "y").is_empty(), "{size:?}: not all has been on the screen");
            if pages == 0 {
                press(&mut app, "G");
                assert!(!app.dialog_view().expect("a dialog").is_whole, "{size:?}: what is between was not seen");
                press(&mut app, "^");
            }
            code(&mut app, KeyCode::PageDown);
            pages += 1;
            assert!(pages < 200, "{size:?}");
        }
        let text = seen.concat();
        assert!((1..=60).all(|cookie| text.contains(&format!("{cookie}]:5432"))), "{size:?}");
        assert!(matches!(press(&mut app, "y").as_slice(), [Effect::CloseAll(closes)] if closes.len() == 60));
    }
}

#[test]
fn another_size_of_the_window_is_read_anew() {
    let sockets = (1..=60).map(|cookie| tcp(cookie).remote("10.0.0.1:5432")).collect();
    let mut app = app_with(|config| config.source.abilities = all(), sockets);
    press(&mut app, "*X");
    app.background(usize::MAX);
    (0..10).for_each(|_| drop(code(&mut app, KeyCode::PageDown)));
    assert!(app.dialog_view().expect("a dialog").is_whole);
    app.turn(Msg::Resize(80, 20));
    assert!(!app.dialog_view().expect("a dialog").is_whole);
    app.turn(Msg::Resize(20, 5));
    assert!(!app.dialog_view().expect("a dialog").is_whole);
    assert!(press(&mut app, "y").is_empty());
}

#[test]
fn all_tagged_rows_are_copied_each_on_a_line_of_its_own() {
    let mut app = held((120, 40));
    press(&mut app, "^  y");
    let Mode::Menu(Menu { choice: MenuChoice::Lines(kinds), .. }) = &app.mode else { panic!("{}", notice(&app)) };
    let pids = kinds.iter().find(|kind| kind.label == "pid").expect("pids");
    assert_eq!(pids.lines, ["4121"], "the same is there once");
    let rows = kinds[0].clone();
    assert_eq!((rows.label.as_str(), rows.lines.len()), ("row", 2));
    let copied = enter(&mut app);
    assert!(matches!(copied.as_slice(), [Effect::CopyLines(lines)] if lines.len() == 2), "{copied:?}");
}

#[test]
fn tagged_rows_go_to_a_new_file_whose_name_says_the_format() {
    let mut app = held((120, 40));
    let save = |app: &mut App| press(app, "o");
    press(&mut app, "^  ");
    save(&mut app);
    let offered = match &app.mode {
        Mode::Export(edit) => edit.line.text().to_owned(),
        _ => panic!("{}", notice(&app)),
    };
    assert!(offered.starts_with("conntop-2026") && offered.ends_with(".ndjson"), "{offered}");
    let export = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Export(Export { file, sockets }) => Some((file.path.clone(), file.format, sockets.clone())),
            _ => None,
        })
    };
    let effects = enter(&mut app);
    assert!(export(&effects).is_some_and(|(path, format, _)| path == offered && format == ExportFormat::Ndjson));
    save(&mut app);
    app.turn(Msg::Key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL)));
    for (name, error) in [("", "write the name"), ("x.exe", "has to end in"), ("~/a.csv", "~ stands for nothing")] {
        press(&mut app, name);
        enter(&mut app);
        assert!(matches!(&app.mode, Mode::Export(edit) if edit.error.is_some_and(|why| why.contains(error))), "{name}");
        app.turn(Msg::Key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL)));
    }
    press(&mut app, "a q.csv");
    let effects = enter(&mut app);
    let (path, format, sockets) = export(&effects).expect("gathered in the same turn");
    assert_eq!((path.as_str(), format, sockets), ("a q.csv", ExportFormat::Csv, vec![id(1), id(2)]));
    let mut read_only = held((120, 40));
    read_only.config.settings.read_only = true;
    save(&mut read_only);
    assert!(notice(&read_only).contains("--read-only"));
}

#[test]
fn where_rows_stand_for_no_sockets_nothing_is_tagged() {
    let mut app = held((120, 40));
    for tab in ["5", "6", "8"] {
        press(&mut app, tab);
        for key in [" ", "*", "U"] {
            press(&mut app, key);
            assert!(notice(&app).contains("tabs 1 to 4 and 7"), "{tab}: {}", notice(&app));
        }
    }
}

#[test]
fn a_reset_says_from_when_on_is_counted_and_keeps_the_tags() {
    let mut app = held((120, 40));
    press(&mut app, "*");
    send(&mut app, Delta { added: vec![connection(tcp(9), 101_000)], ..delta(101) });
    let of_new = |app: &App| app.store.rows().live(id(9)).and_then(|row| row.mark).expect("new");
    assert!(app.is_mark_fresh(of_new(&app)));
    press(&mut app, "R");
    assert!(notice(&app).contains("count from 00:01:41 on"), "{}", notice(&app));
    assert!(!app.is_mark_fresh(of_new(&app)));
    assert_eq!(tagged(&app), 4);
    let established = |app: &App| {
        let from = app.counted_from().expect("reset");
        app.store.history().bounds_since(from, crate::store::history::trend::ChartSpan::default(), |counts| {
            counts.of(TcpState::Established)
        })
    };
    assert_eq!(established(&app), Some((5, 5)));
    send(&mut app, Delta { removed: vec![removed(9, 102)], ..delta(102) });
    assert_eq!(established(&app), Some((4, 5)));
}
