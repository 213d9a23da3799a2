//! At every size a dialog that acts shows all of whom it hits, or refuses and says so.

use super::*;
use crate::app::dialog;
use crate::app::effect::Effect;

const LOCAL: &str = "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:36522";
const REMOTE: &str = "[2001:db8:ffff:ffff:ffff:ffff:ffff:fffe]:65535";

/// An app in which a program with a long name and a long command line holds an IPv6 connection, a short one of IPv4, or a
/// listener; `name` may need more than one line.
fn app_with_target(name: &str, socket: crate::model::testing::SocketBuilder) -> App {
    let holder = Process {
        command: format!("/usr/bin/{name} --config=/etc/orders/production/orders-api.yaml {}", "--flag ".repeat(60))
            .as_str()
            .into(),
        ..(*process(4_194_303, name)).clone()
    };
    let mut app = App::new(Config::new(source_info(), (80, 24)));
    let added = vec![connection(socket.held_by(&[std::sync::Arc::new(holder)]), 0)];
    let first = Delta { at: Timestamp::from_millis(100_000), added, ..Delta::default() };
    app.turn(Msg::Delta(Box::new(first)));
    app
}

/// All that is drawn inside of the dialog beside the labels, or on a screen too small for one, without blanks: texts that go
/// on in the next line are whole.
fn written(app: &App, theme: &Theme) -> String {
    let (width, height) = app.config.size;
    let terminal = drawn(app, theme);
    let buffer = terminal.backend().buffer();
    let (mut columns, mut rows) = (0..width, 0..height);
    if let Some(view) = app.dialog_view().filter(|_| app.layout().is_some()) {
        let lines = u16::try_from(view.lines.len()).expect("few");
        let (wide, high) = ((view.width + 4).min(width), (lines + 3).min(height));
        let (left, top) = ((width - wide) / 2, (height - high) / 2);
        columns = left + 2 + view.label_width..left + wide - 2;
        rows = top + 1..top + high - 2;
    }
    let cells = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
    cells.map(|cell| buffer[cell].symbol()).collect::<String>().replace(' ', "")
}

#[test]
fn what_can_be_confirmed_is_on_the_screen_at_every_size() {
    let ipv6 = || tcp(1).local(LOCAL).remote(REMOTE).state(TcpState::CloseWait).queues(20_001, 300);
    let ipv4 = || tcp(1).local("10.0.0.7:51234").remote("10.1.0.1:5432");
    let long = "a-name-that-is-as-long-as-names-get-with-escapes-0123456789";
    let scenes = [
        ("orders-api-serv", ipv6(), vec![LOCAL, REMOTE, "CLOSE_WAIT"]),
        ("nginx", ipv4(), vec!["10.0.0.7:51234", "10.1.0.1:5432", "ESTABLISHED"]),
        (long, ipv6(), vec![LOCAL, REMOTE, "CLOSE_WAIT"]),
        ("sshd", ipv6(), vec![LOCAL, REMOTE, "CLOSE_WAIT"]),
        ("nginx", listener(1, 443), vec!["0.0.0.0:443", "LISTEN"]),
    ];
    for ((name, socket, ends), ascii) in scenes.into_iter().flat_map(|scene| [(scene.clone(), false), (scene, true)]) {
        for (open, is_close) in [("^X", true), ("^K\n", false), ("^Kjjj\n", false)] {
            let mut app = app_with_target(name, socket.clone());
            let keys: Vec<_> =
                open.chars().map(|key| if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) }).collect();
            press(&mut app, &keys);
            app.background(usize::MAX);
            assert!(app.dialog_view().is_some(), "{name} {open}: {:?}", app.mode);
            // Every size for the one that needs most room, and sizes all over for the others.
            let (across, down) = if name == "orders-api-serv" && !ascii && open != "^Kjjj\n" { (1, 1) } else { (7, 3) };
            let sizes =
                (1..=130).step_by(across).flat_map(|width| (1..=40).step_by(down).map(move |height| (width, height)));
            for size in sizes {
                app.turn(Msg::Resize(size.0, size.1));
                let may = app.dialog_view().is_some_and(|view| view.is_whole);
                let text = written(&app, &Theme::default().with_ascii(ascii));
                if !may {
                    let says = text.contains("makethewindowlarger") || size.0 < 40 || size.1 < 10;
                    assert!(says, "{name} {open} {size:?} refuses and does not say it:\n{}", screen(&app));
                    let refused = confirm(&mut app);
                    assert!(refused.is_empty(), "{name} {open} {size:?}");
                    assert!(size.0 < 50 || size.1 < 15, "{name} {open} {size:?}: there is room enough");
                    continue;
                }
                let mut wanted = vec![name.to_owned(), "4194303".to_owned()];
                if is_close {
                    wanted.extend(ends.iter().map(|&end| end.to_owned()));
                }
                for part in wanted {
                    assert!(text.contains(&part.replace(' ', "")), "{part} at {size:?} of {open}:\n{}", screen(&app));
                }
            }
        }
    }
}

/// Presses what confirms; what came of it.
fn confirm(app: &mut App) -> Vec<Effect> {
    [KeyCode::Char('y'), KeyCode::Char('K'), KeyCode::Enter]
        .into_iter()
        .flat_map(|key| app.turn(Msg::Key(KeyEvent::new(key, KeyModifiers::NONE))))
        .filter(|effect| matches!(effect, Effect::Kill(_) | Effect::Close(_)))
        .collect()
}

#[test]
fn forty_by_ten_is_enough_for_both_ends_of_ipv6_and_a_long_command_line() {
    let socket = || tcp(1).local(LOCAL).remote(REMOTE).state(TcpState::CloseWait).queues(20_001, 300);
    for open in [vec!['^', 'X'], vec!['^', 'K', '\n']] {
        let mut app = app_with_target("orders-api-serv", socket());
        app.turn(Msg::Resize(40, 10));
        let keys: Vec<_> =
            open.iter().map(|key| if *key == '\n' { KeyCode::Enter } else { KeyCode::Char(*key) }).collect();
        press(&mut app, &keys);
        assert!(app.dialog_view().is_some_and(|view| view.is_whole), "{open:?}:\n{}", screen(&app));
        assert_eq!(confirm(&mut app).len(), 1);
    }
    assert_eq!(dialog::part::ALWAYS, 0);
}
