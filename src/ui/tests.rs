//! What the screen looks like on fixed data, and that no size of terminal is too much or too little for it.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

mod clicks;
mod clock;
mod dialogs;
mod keys;
mod names;
mod network;
mod paths;
mod scroll;
mod still;

use super::*;
use crate::app::Config;
use crate::app::msg::Msg;
use crate::app::tabs::TABS;
use crate::diagnosis::finding::{
    CausedFindings, Evidence, Finding, FindingKey, FindingScope, Measure, ProcessShare, ProgramName, RunsOut, Severity,
    Slope,
};
use crate::diagnosis::rule::Rule;
use crate::model::coverage::Coverage;
use crate::model::delta::{AgeBasis, Connection, Delta, Rates, SampleIntervals, Since, Traffic, Transition};
use crate::model::endpoint::Family;
use crate::model::facts::{Counters, Facts};
use crate::model::interface::{Interface, Received, Sent};
use crate::model::network::{LinkState, Network, NetworkInterface};
use crate::model::process::{Holders, Names, Owner, Process};
use crate::model::route::{Hop, Route, TABLE_MAIN};
use crate::model::socket::{NetnsId, TimerKind};
use crate::model::tcp_info::TcpDetail;
use crate::model::tcp_state::TcpState;
use crate::model::testing::{
    self, BOOT, SocketBuilder, connection, destination, listener, process, source_info, tcp, udp,
};
use crate::model::time::{Timestamp, WallTime};

/// "Now" of the last sample, in seconds after boot.
const NOW: u64 = 10_000;

fn app(size: (u16, u16)) -> App {
    let mut app = App::new(Config::new(source_info(), size));
    app.turn(Msg::Delta(Box::new(with_network(first_sample(), NOW - 1))));
    app.turn(Msg::Delta(Box::new(with_network(second_sample(), NOW))));
    app.show_findings(found());
    app
}

/// A leak that is critical, and a full accept queue.
fn found() -> Vec<Finding> {
    let at = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
    let key = |rule, name, place| FindingKey {
        rule,
        program: Some(ProgramName::named(name)),
        scope: place,
        netns: NetnsId(0),
        listener: None,
    };
    let evidence = |key, label, value| Evidence { key, label, value, is_metric: true };
    let leak = Finding {
        key: key(Rule::CloseWaitLeak, "jdbc-pool", FindingScope::To(destination("10.0.0.20:5432"))),
        severity: Severity::Critical,
        sentence:
            "jdbc-pool[4121] leaks 120 CLOSE_WAIT to 10.0.0.20:5432, +4/min, never closed, oldest 52m, EMFILE in 3h10m"
                .into(),
        why: "never closed",
        process: Some(pool()),
        program: Some("jdbc-pool".into()),
        processes: 1,
        process_shares: vec![ProcessShare { process: pool(), sockets: 120 }],
        state: Some(TcpState::CloseWait),
        sockets: 120,
        examples: (0..3).map(|at| leaked(at).socket.id).collect(),
        evidence: vec![
            evidence("oldest", "oldest", Measure::Span(Duration::from_secs(52 * 60))),
            evidence("descriptors", "descriptors", Measure::Of(312, 1_024)),
            evidence("opened", "opened", Measure::PerMinute(4.0)),
            evidence("verdicts", "verdicts", Measure::Words("never closed 120".into())),
        ],
        slope: Some(Slope { per_minute: 4.0, over: Duration::from_secs(5 * 60), confidence: 0.97 }),
        since: Some(Since { at: at(NOW - 3_120), basis: AgeBasis::AtLeast }),
        first_found: at(NOW - 60),
        oldest: None,
        runs_out: Some(RunsOut {
            what: "descriptors",
            within: Duration::from_secs(178 * 60),
            left: 712,
            per_minute: 4.0,
        }),
        filter: "pid:4121 state:close-wait raddr:10.0.0.20 rport:5432".into(),
        also: None,
        caused: CausedFindings::default(),
    };
    let queue = Finding {
        key: key(Rule::AcceptQueueFull, "report-api", FindingScope::On(destination("0.0.0.0:9090"))),
        severity: Severity::Warning,
        sentence: "report-api[6002] accepts too slowly on :9090, accept queue 129 of 128".into(),
        why: "accept() too slow",
        process: Some(process(6002, "report-api")),
        program: Some("report-api".into()),
        processes: 1,
        process_shares: vec![ProcessShare { process: process(6002, "report-api"), sockets: 1 }],
        state: Some(TcpState::Listen),
        sockets: 1,
        examples: Vec::new(),
        evidence: vec![evidence("queue", "accept queue", Measure::Of(129, 128))],
        slope: None,
        since: Some(Since { at: at(NOW - 12), basis: AgeBasis::Observed }),
        first_found: at(NOW - 12),
        oldest: None,
        runs_out: None,
        filter: "state:listen lport:9090".into(),
        also: None,
        caused: CausedFindings::default(),
    };
    vec![leak, queue]
}

fn delta(seconds: u64) -> Delta {
    let coverage = Coverage { owners_hidden: 12, processes_unreadable: 3, other_namespaces: 4, ..Coverage::default() };
    let names = Names { users: [(0, "root".into()), (1000, "app".into())].into(), ..Names::default() };
    Delta {
        at: Timestamp::from_millis(seconds * 1_000),
        wall: WallTime(BOOT.0.saturating_add_unsigned(seconds * 1_000)),
        coverage: Arc::new(coverage),
        names: Arc::new(names),
        ..Delta::default()
    }
}

fn since(socket: SocketBuilder, age_seconds: u64, basis: AgeBasis) -> Connection {
    let mut connection = connection(socket, (NOW - 5) * 1_000);
    connection.state_since = Some(Since { at: Timestamp::from_millis((NOW - age_seconds) * 1_000), basis });
    connection
}

fn pool() -> Arc<Process> {
    process(4121, "jdbc-pool")
}

fn leaked(at: u64) -> Connection {
    let local = format!("10.0.0.7:{}", 51_234 + 2 * at);
    let socket = tcp(1_000 + at).local(&local).remote("10.0.0.20:5432").state(TcpState::CloseWait).queues(0, 0);
    let socket = socket.held_by(&[pool()]).bytes(378_000, 54_000).last(1_000, 1_000, 2_000).info(|info| {
        (info.rtt_us, info.rto_us) = (378, 201_000);
    });
    since(socket, 3_120 - 10 * at, AgeBasis::AtLeast)
}

fn client(at: u64, state: TcpState) -> Connection {
    let remote = format!("203.0.113.{}:{}", 1 + at, 40_000 + 17 * at);
    let nginx = process(812, "nginx");
    let mut connection = since(
        tcp(2_000 + at).local("10.0.0.7:443").remote(&remote).state(state).held_by(&[nginx]),
        9 + at,
        AgeBasis::Kernel,
    );
    connection.set_rates(Some(Rates { received: 1_234.0, sent: 98_765.0 }));
    connection
}

fn first_sample() -> Delta {
    let nginx = process(812, "nginx");
    let mut added: Vec<Connection> = (0..120).map(leaked).collect();
    added.extend((0..24).map(|at| client(at, TcpState::Established)));
    added.push(connection(listener(1, 443).held_by(&[nginx, process(813, "nginx")]), 0));
    added.push(connection(listener(2, 9090).queues(129, 128).held_by(&[process(6002, "report-api")]), 0));
    added.push(connection(udp(3, 53).held_by(&[process(611, "systemd-resolve")]), 0));
    let gone = Owner::Remembered(Arc::new(Holders::new(vec![process(77, "curl")]).expect("one process")));
    let mini = tcp(4).local("10.0.0.7:33568").remote("10.0.0.31:6379").mini(TcpState::TimeWait).owner(gone);
    added.push(since(mini.timer(TimerKind::TimeWait, 0, (NOW + 40) * 1_000), 20, AgeBasis::Kernel));
    let v6 = tcp(5).local("[2001:db8:1:2:3:4:5:6]:22").remote("[2001:db8:ffff:eeee:dddd:cccc:bbbb:aaaa]:50123");
    added.push(since(v6.owner(Owner::Hidden), 7_300, AgeBasis::AtLeast));
    added.push(since(
        tcp(6).local("10.0.0.7:9090").remote("10.0.5.5:40001").owner(Owner::Unaccepted).queues(512, 0),
        4,
        AgeBasis::Observed,
    ));
    Delta { added, ..delta(NOW - 1) }
}

/// One connection opens, one half-closes, one is gone.
fn second_sample() -> Delta {
    let (new, half, gone) =
        (client(30, TcpState::Established), client(3, TcpState::CloseWait), client(4, TcpState::Established));
    let transition = |connection: &Connection, from, to, lasted| Transition {
        lasted,
        ..testing::transition(connection.socket.clone(), NOW * 1_000 - 250, from, to)
    };
    let lasted = Some((Duration::from_millis(12_300), AgeBasis::AtLeast));
    let transitions = vec![
        transition(&new, None, Some(TcpState::Established), None),
        transition(&half, Some(TcpState::Established), Some(TcpState::CloseWait), lasted),
        transition(&gone, Some(TcpState::Established), None, lasted),
    ];
    let removed = vec![crate::model::delta::Removed { id: gone.socket.id, at: Timestamp::from_millis(NOW * 1_000) }];
    let details = vec![(
        leaked(0).socket.id,
        TcpDetail {
            congestion: Some("cubic".into()),
            congestion_window: Some(10),
            send_mss_bytes: Some(1_448),
            ..TcpDetail::default()
        },
    )];
    Delta { added: vec![new], changed: vec![half], removed, transitions, details, ..delta(NOW) }
}

/// What a machine that counts `seconds` has beside its sockets.
fn with_network(delta: Delta, seconds: u64) -> Delta {
    let grown = |per_second: u64| per_second * seconds;
    let counters = Counters {
        segments_sent: grown(4_000),
        segments_received: grown(3_900),
        segments_retransmitted: grown(7),
        listen_drops: grown(2),
        udp_receive_buffer_errors: 12,
        ..Counters::ZERO
    };
    let interface = |(index, name, state, per_second): (u32, &str, LinkState, u64)| NetworkInterface {
        index,
        counted: Interface {
            name: name.into(),
            received: Received {
                bytes: grown(per_second),
                packets: grown(per_second / 900),
                dropped: grown(per_second / 400_000),
                ..Received::default()
            },
            sent: Sent { bytes: grown(4 * per_second), packets: grown(per_second / 300), ..Sent::default() },
        },
        mtu_bytes: Some(1_500),
        state,
        speed_megabits: (index == 2).then_some(10_000),
    };
    let interfaces =
        [(1, "lo", LinkState::Unknown, 900), (2, "eth0", LinkState::Up, 1_250_000), (3, "docker0", LinkState::Down, 0)];
    let hop = |gateway: Option<&str>, name: &str| Hop {
        gateway: gateway.map(|gateway| gateway.parse().expect("an address")),
        interface: Some(name.into()),
        ..Hop::default()
    };
    let route = |destination: &str, prefix_len, hops: Vec<Hop>| Route {
        family: Family::Ipv4,
        table: TABLE_MAIN,
        kind: if hops.is_empty() { 6 } else { 1 },
        destination: destination.parse().expect("an address"),
        prefix_len,
        from: None,
        hops,
        protocol: 16,
        scope: 0,
        source: None,
        metric: (prefix_len == 0).then_some(100),
        preference: None,
        metrics: Vec::new(),
        congestion: None,
        tos: 0,
        realms: None,
        nexthop_id: None,
        expires: None,
    };
    let network = Network {
        interfaces: interfaces.into_iter().map(interface).collect(),
        routes: vec![
            route("10.0.0.0", 24, vec![hop(None, "eth0")]),
            route("0.0.0.0", 0, vec![hop(Some("10.0.0.1"), "eth0"), hop(Some("10.0.0.2"), "eth1")]),
            route("192.0.2.0", 24, Vec::new()),
            route("::", 0, vec![hop(Some("fe80::1"), "eth0")]),
        ],
        ..Network::default()
    };
    let facts = Facts { counters: Some(counters), ..Facts::clone(&delta.facts) };
    Delta { network: Some(Arc::new(network)), facts: Arc::new(facts), ..delta }
}

fn press(app: &mut App, keys: &[KeyCode]) {
    for key in keys {
        app.turn(Msg::Key(KeyEvent::new(*key, KeyModifiers::NONE)));
    }
}

fn type_keys(app: &mut App, keys: &str) {
    keys.chars().for_each(|key| press(app, &[KeyCode::Char(key)]));
}

/// A terminal of the app's size with the app on it, in `theme`.
fn drawn(app: &App, theme: &Theme) -> Terminal<TestBackend> {
    let (width, height) = app.config.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test terminal cannot fail");
    terminal.draw(|frame| draw(frame, app, theme)).expect("a test terminal cannot fail");
    terminal
}

fn screen(app: &App) -> String {
    drawn(app, &Theme::default()).backend().to_string()
}

/// The keys after which each socket has a line of its own.
const SINGLE: [KeyCode; 3] = [KeyCode::Char('t'), KeyCode::Up, KeyCode::Enter];

/// Everything that can be open, by the keys that open it.
fn scenes() -> Vec<(&'static str, Vec<KeyCode>)> {
    let chars = |text: &str| text.chars().map(KeyCode::Char).collect::<Vec<_>>();
    let single = |text: &str, more: &[KeyCode]| [SINGLE.to_vec(), chars(text), more.to_vec()].concat();
    let with = |text: &str, more: &[KeyCode]| [chars(text), more.to_vec()].concat();
    let mut scenes: Vec<(&'static str, Vec<KeyCode>)> =
        TABS.iter().map(|row| (row.title, vec![KeyCode::Char(row.number()), KeyCode::Char('j')])).collect();
    scenes.extend([
        ("unfolded", chars("^l")),
        ("folding menu", chars("t")),
        ("folded by process", with("tj", &[KeyCode::Enter])),
        ("folded by remote", with("tjjj", &[KeyCode::Enter])),
        ("folded by port", with("tjjjj", &[KeyCode::Enter])),
        ("single sockets", single("", &[])),
        ("detail", single("j", &[KeyCode::Enter])),
        ("detail scrolled", single("j", &[KeyCode::Enter, KeyCode::PageDown, KeyCode::End])),
        ("finding scrolled", chars("6j").into_iter().chain([KeyCode::PageDown]).collect()),
        ("sockets of a finding", with("6", &[KeyCode::Enter])),
        ("explained finding", chars("6e")),
        ("explained connection", single("je", &[])),
        ("filter", chars("/state:close-wait")),
        ("filter error", chars("/nosuch:1")),
        ("nothing matches", with("/lport:1", &[KeyCode::Enter])),
        ("sort menu", with("s", &[KeyCode::End])),
        ("owner menu", single("/lport:443 state:listen", &[KeyCode::Enter, KeyCode::Char('^'), KeyCode::Char('K')])),
        ("socket menu", chars("4^X")),
        ("signal menu", single("jjK", &[])),
        ("confirm", single("jjK", &[KeyCode::Enter])),
        ("confirm kill", single("jjKjjj", &[KeyCode::Enter, KeyCode::Char('y')])),
        ("confirm close", single("jjX", &[])),
        ("help", chars("?j")),
        ("frozen", chars("z")),
        ("notice", chars("E")),
    ]);
    scenes
}

#[test]
fn every_size_can_be_drawn_whatever_is_open() {
    for (name, keys) in scenes() {
        let mut app = app((80, 24));
        press(&mut app, &keys);
        let sizes = (1..=60).flat_map(|width| (1..=30).map(move |height| (width, height)));
        for size in sizes.chain([(80, 24), (120, 40), (200, 60), (300, 100), (40, 200), (500, 10)]) {
            app.turn(Msg::Resize(size.0, size.1));
            let text = screen(&app);
            assert!(!text.is_empty(), "{name} at {size:?}");
        }
    }
}

#[test]
fn a_frame_of_another_size_than_the_app_was_told_of_is_survived() {
    let app = app((120, 40));
    let mut terminal = Terminal::new(TestBackend::new(30, 9)).expect("a test terminal cannot fail");
    terminal.draw(|frame| draw(frame, &app, &Theme::default())).expect("a test terminal cannot fail");
    let buffer = terminal.backend().buffer();
    assert_eq!((buffer.area.width, buffer.area.height), (30, 9));
    let text: String = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
    assert_eq!(text.trim(), "", "nothing is drawn in the wrong place");
}

#[test]
fn ascii_mode_writes_nothing_else_and_no_colours_means_none() {
    for (name, keys) in scenes() {
        let mut app = app((120, 40));
        press(&mut app, &keys);
        let terminal = drawn(&app, &Theme::mono().with_ascii(true));
        for cell in terminal.backend().buffer().content() {
            assert!(cell.symbol().is_ascii(), "{name}: {:?}", cell.symbol());
            assert_eq!((cell.fg, cell.bg), (ratatui::style::Color::Reset, ratatui::style::Color::Reset), "{name}");
        }
    }
}

#[test]
fn the_selected_row_has_one_style_from_edge_to_edge_but_for_the_chosen_cell_which_has_brackets() {
    let mut app = app((120, 40));
    type_keys(&mut app, "j");
    let terminal = drawn(&app, &Theme::default());
    let y = app.layout().expect("large enough").body.y + 1;
    let buffer = terminal.backend().buffer();
    let columns = &app.panels.connections.folded.columns;
    let cell = columns.cell(&columns.shown(120)).expect("a cell");
    let inside = cell.x..cell.x + cell.width;
    let styles: std::collections::HashSet<_> =
        (0..120).filter(|x| !inside.contains(x)).map(|x| buffer[(x, y)].style()).collect();
    assert!(inside.clone().all(|x| !styles.contains(&buffer[(x, y)].style())));
    assert_eq!((buffer[(cell.x - 1, y)].symbol(), buffer[(inside.end, y)].symbol()), ("[", "]"));
    assert_eq!(styles.len(), 1, "{styles:?}");
    assert!(buffer[(0, y)].modifier.contains(ratatui::style::Modifier::REVERSED));
}

#[test]
fn a_healthy_machine_looks_calm() {
    let mut calm = App::new(app((120, 40)).config);
    let added = (0..20).map(|at| client(at, TcpState::Established)).collect();
    calm.turn(Msg::Delta(Box::new(Delta { added, ..delta(NOW) })));
    let text = screen(&calm);
    assert!(text.contains("nothing wrong found") && !text.contains('▲'), "{text}");
    let terminal = drawn(&calm, &Theme::default());
    let alarm = Theme::default().style(Role::Alarm).fg;
    assert!(terminal.backend().buffer().content().iter().all(|cell| Some(cell.fg) != alarm));
}

/// The colours of the letters of `text` in the first line of the screen of `app` that has `row` before it.
fn colors_of(app: &App, row: &str, text: &str) -> Vec<ratatui::style::Color> {
    let terminal = drawn(app, &Theme::default());
    let buffer = terminal.backend().buffer();
    let width = usize::from(buffer.area.width);
    let found = buffer.content().chunks(width).find_map(|line| {
        let symbols: String = line.iter().map(|cell| cell.symbol().chars().next().unwrap_or(' ')).collect();
        let (before, after) = symbols.split_once(row)?;
        let (between, _) = after.split_once(text)?;
        let start = [before, row, between].iter().map(|part| part.chars().count()).sum::<usize>();
        Some(line[start..start + text.chars().count()].iter().map(|cell| cell.fg).collect())
    });
    found.unwrap_or_else(|| panic!("no {text}\n{}", terminal.backend()))
}

#[test]
fn a_verdict_has_the_colour_of_the_finding_and_no_colour_without_one_or_while_it_is_young() {
    use ratatui::style::Color;
    let mut app = app((120, 40));
    type_keys(&mut app, "/state:close-wait");
    press(&mut app, &[KeyCode::Enter]);
    assert_eq!(colors_of(&app, "jdbc-pool", "never closed"), [Color::LightRed; 12], "folded");
    press(&mut app, &SINGLE);
    assert_eq!(colors_of(&app, "jdbc-pool", "never closed"), [Color::LightRed; 12]);
    app.show_findings(Vec::new());
    assert_eq!(colors_of(&app, "jdbc-pool", "never closed"), [Color::Reset; 12]);
    let young = tcp(9_000).local("10.0.0.7:443").remote("203.0.113.99:40000").state(TcpState::CloseWait);
    let young = since(young.held_by(&[process(812, "nginx")]), 1, AgeBasis::Observed);
    app.turn(Msg::Delta(Box::new(Delta { added: vec![young], ..delta(NOW + 1) })));
    type_keys(&mut app, "/ raddr:203.0.113.99");
    press(&mut app, &[KeyCode::Enter]);
    assert_eq!(colors_of(&app, "203.0.113.99", "too young"), [Color::Reset; 9]);
}

#[test]
fn the_bar_of_a_full_queue_has_the_colour_of_its_finding_and_none_without_one() {
    use ratatui::style::Color;
    let mut app = app((120, 40));
    type_keys(&mut app, "4");
    assert_eq!(colors_of(&app, ":9090", "███"), [Color::Yellow; 3]);
    app.show_findings(Vec::new());
    assert_eq!(colors_of(&app, ":9090", "███"), [Color::Reset; 3]);
}

#[test]
fn a_quiet_second_changes_few_cells_at_80x24() {
    let mut app = app((80, 24));
    // The marks of what just happened go first.
    (1..=6).for_each(|second| drop(app.turn(Msg::Delta(Box::new(delta(NOW + second))))));
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a test terminal cannot fail");
    terminal.draw(|frame| draw(frame, &app, &Theme::default())).expect("a test terminal cannot fail");
    let before = terminal.backend().buffer().clone();
    app.turn(Msg::Delta(Box::new(delta(NOW + 7))));
    terminal.draw(|frame| draw(frame, &app, &Theme::default())).expect("a test terminal cannot fail");
    let changed = before.diff(terminal.backend().buffer()).len();
    assert!(changed <= 20, "{changed} cells changed");
}

/// A second without a change beside traffic of `rate` bytes.
fn quiet_second(second: u64, rate: u64) -> Msg {
    let traffic = Some(Traffic { received: rate, sent: 3 * rate });
    Msg::Delta(Box::new(Delta { traffic, ..delta(NOW + second) }))
}

#[test]
fn graphs_of_a_quiet_machine_move_in_place_and_all_of_them_seldom() {
    for (size, moving_max) in [((80, 24), 24), ((120, 40), 40), ((200, 60), 40)] {
        let mut app = app(size);
        let rate = |second: u64| 20_000 + second * 7_919 % 3_000;
        for second in 1..=900 {
            app.turn(quiet_second(second, rate(second)));
        }
        let mut terminal = drawn(&app, &Theme::default());
        let mut changed: Vec<usize> = Vec::new();
        for second in 901..=960 {
            let before = terminal.backend().buffer().clone();
            app.turn(quiet_second(second, rate(second)));
            terminal.draw(|frame| draw(frame, &app, &Theme::default())).expect("a test terminal cannot fail");
            changed.push(before.diff(terminal.backend().buffer()).len());
        }
        let moving = changed.iter().filter(|cells| **cells > moving_max).count();
        assert!(moving <= 15, "{size:?}: {changed:?}");
        let mean = changed.iter().sum::<usize>() / changed.len();
        assert!(mean <= 60, "{size:?}: {mean} cells a second, {changed:?}");
    }
}

#[test]
fn the_flow_says_what_moves_now_and_what_moved_most_at_every_width() {
    let mut app = app((100, 40));
    for second in 1..=200 {
        app.turn(quiet_second(second, if second == 120 { 5_000_000 } else { 12_000 }));
    }
    for width in 100..=300 {
        app.turn(Msg::Resize(width, 40));
        let text = screen(&app);
        assert!(text.contains("↓ 12.0 kB/s") && text.contains("most 5.0 MB/s"), "{width}\n{text}");
        assert!(text.contains("↑ 36.0 kB/s") && text.contains("most 15.0 MB/s"), "{width}\n{text}");
    }
    app.turn(Msg::Delta(Box::new(delta(NOW + 212))));
    assert!(screen(&app).contains("↓ 12.0 kB/s 12s ago"), "a sample that did not count\n{}", screen(&app));
    app.turn(Msg::Resize(80, 24));
    assert!(screen(&app).contains("↓12.0k ↑36.0k"), "{}", screen(&app));
}

#[test]
fn the_worst_three_are_named_and_how_many_more_there_are() {
    let mut app = app((80, 24));
    let mut found = found();
    let like = |name: &str, why: &'static str| {
        let key = FindingKey { program: Some(ProgramName::named(name)), ..found[1].key };
        let sentence = format!("{name}[77] {why}, and much more is said of it than there is room for");
        Finding { key, program: Some(name.into()), why, sentence, evidence: Vec::new(), ..found[1].clone() }
    };
    let more = [like("log-shipper", "not reading"), like("backup", "stuck reader"), like("cron", "never closed")];
    found.extend(more);
    app.show_findings(found);
    let lines = |app: &App| screen(app).lines().take(4).map(str::to_owned).collect::<Vec<_>>().join("\n");
    let text = lines(&app);
    assert!(["jdbc-pool", "report-api", "log-shipper"].iter().all(|name| text.contains(name)), "{text}");
    assert!(text.contains("6: 2 more"), "{text}");
    app.turn(Msg::Resize(100, 18));
    let text = lines(&app);
    assert!(text.contains("log-shipper not reading · 6: 2 more"), "named by a word where there are two lines\n{text}");
    app.turn(Msg::Resize(40, 10));
    assert!(lines(&app).contains("▲5 jdbc-pool[4121] leaks 120 CLOSE_WAIT"), "{}", lines(&app));
    app.turn(Msg::Resize(120, 40));
    let text = lines(&app);
    assert!(text.contains("██████████") && text.contains("since ≥52m") && text.contains("since 12s"), "{text}");
}

#[test]
fn a_small_machine_shows_its_graphs_large() {
    let mut small = App::new(app((80, 24)).config);
    let added = (0..5).map(|at| client(at, TcpState::Established)).collect();
    small.turn(Msg::Delta(Box::new(Delta { added, ..delta(NOW) })));
    (1..40).for_each(|second| drop(small.turn(quiet_second(second, 900))));
    assert!(screen(&small).contains("↓ 900 B/s"), "{}", screen(&small));
    small.turn(Msg::Resize(120, 40));
    let layout = small.layout().expect("large enough");
    assert!(layout.flow.height >= 15 && layout.body.height >= 12, "{layout:?}");
}

#[test]
fn the_leaking_process_is_named_at_every_size() {
    for size in [(40, 10), (60, 16), (80, 24), (120, 40), (200, 60)] {
        let text = screen(&app(size));
        assert!(text.contains("jdbc-pool[4121] leaks 120 CLOSE_WAIT"), "{size:?}\n{text}");
    }
}

#[test]
fn a_wider_window_never_shows_less_of_a_cause_and_why_is_there_at_every_width() {
    let mut before: Vec<&str> = Vec::new();
    let mut app = app((40, 40));
    for width in 40..=300 {
        app.turn(Msg::Resize(width, 40));
        let panel = &app.panels.connections.folded;
        let shown: Vec<&str> =
            panel.columns.shown(width).iter().map(|place| panel.columns.all[place.index].key).collect();
        for key in ["process", "peer", "count", "why"] {
            assert!(shown.contains(&key), "{key} is missing at {width}: {shown:?}");
        }
        assert!(before.iter().all(|key| shown.contains(key)), "{width} has {shown:?}, one cell less {before:?}");
        before = shown;
        let text = screen(&app);
        let leak = text.lines().find(|line| line.contains('▸') && line.contains(":5432")).unwrap_or_default();
        assert!(leak.contains("jdbc-") && leak.contains("closed"), "{width}: {leak}");
    }
}

#[test]
fn a_healthy_folded_table_has_no_red() {
    let mut calm = App::new(app((120, 40)).config);
    let added = (0..20).map(|at| client(at, TcpState::Established)).collect();
    calm.turn(Msg::Delta(Box::new(Delta { added, ..delta(NOW) })));
    // A close under way is no trouble, and what has ended leaves its line.
    calm.turn(Msg::Delta(Box::new(Delta {
        changed: vec![client(3, TcpState::CloseWait), client(4, TcpState::TimeWait)],
        removed: vec![crate::model::delta::Removed {
            id: client(5, TcpState::Established).socket.id,
            at: Timestamp::from_millis(NOW * 1_000),
        }],
        ..delta(NOW + 1)
    })));
    let terminal = drawn(&calm, &Theme::default());
    let red = [Role::Alarm, Role::Warning].map(|role| Theme::default().style(role).fg);
    let body = calm.layout().expect("large enough").body;
    let buffer = terminal.backend().buffer();
    assert!(body.positions().all(|at| !red.contains(&Some(buffer[at].fg))));
}

#[test]
fn a_terminal_that_is_too_small_says_so() {
    assert!(screen(&app((39, 9))).contains("terminal too small"));
}

#[test]
fn before_the_first_sample_the_screen_says_what_it_waits_for() {
    let mut app = app((80, 24));
    app = App::new(app.config);
    let shown = screen(&app);
    assert!(shown.contains("taking the first sample…") && !shown.contains("0 sockets"), "{shown}");
    app.turn(Msg::SourceFailed("no netlink here; try --source procfs".into()));
    let text = screen(&app);
    assert!(text.contains("no sample could be taken yet") && text.contains("try --source procfs"), "{text}");
}

#[test]
fn the_screen_at_80x24() {
    insta::assert_snapshot!(screen(&app((80, 24))));
}

#[test]
fn the_screen_at_120x40() {
    let mut app = app((120, 40));
    type_keys(&mut app, "jj");
    insta::assert_snapshot!(screen(&app));
}

#[test]
fn the_screen_at_200x60() {
    insta::assert_snapshot!(screen(&app((200, 60))));
}

#[test]
fn the_screen_at_40x10() {
    insta::assert_snapshot!(screen(&app((40, 10))));
}

#[test]
fn the_other_tabs_at_120x40() {
    for row in &TABS[1..] {
        let mut app = app((120, 40));
        press(&mut app, &[KeyCode::Char(row.number())]);
        insta::assert_snapshot!(format!("tab_{}", row.title), screen(&app));
    }
}

#[test]
fn the_findings_tab() {
    for size in [(80, 24), (120, 40), (200, 60)] {
        let mut app = app(size);
        type_keys(&mut app, "6");
        insta::assert_snapshot!(format!("findings_{}x{}", size.0, size.1), screen(&app));
        app.show_findings(Vec::new());
        insta::assert_snapshot!(format!("findings_none_{}x{}", size.0, size.1), screen(&app));
    }
}

#[test]
fn details_dialogs_and_help() {
    for (name, keys) in scenes().into_iter().skip(TABS.len()) {
        let mut app = app((100, 30));
        press(&mut app, &keys);
        insta::assert_snapshot!(format!("scene_{}", name.replace(' ', "_")), screen(&app));
    }
    let mut app = app((140, 40));
    press(&mut app, &SINGLE);
    press(&mut app, &[KeyCode::Char('j'), KeyCode::Char('j'), KeyCode::Enter]);
    insta::assert_snapshot!("detail_at_140x40", screen(&app));
}

/// Clicks on line `line` of the body.
fn click_line(app: &mut App, line: u16) {
    let row = app.layout().expect("large enough").body.y + line;
    let kind = MouseEventKind::Down(MouseButton::Left);
    app.turn(Msg::Mouse(MouseEvent { kind, column: 6, row, modifiers: KeyModifiers::NONE }));
}

#[test]
fn on_every_tab_a_click_on_the_second_row_selects_it_and_the_next_click_opens_it() {
    for row in TABS {
        let (mut clicked, mut typed) = (app((120, 40)), app((120, 40)));
        for app in [&mut clicked, &mut typed] {
            type_keys(app, &row.number().to_string());
            app.background(usize::MAX);
        }
        press(&mut typed, &[KeyCode::Home, KeyCode::Down]);
        let first = clicked.selected();
        click_line(&mut clicked, 1);
        assert_eq!(clicked.selected(), typed.selected(), "{}", row.title);
        assert_ne!(clicked.selected(), first, "{} has a second row", row.title);
        assert!(clicked.panel().is_picked(), "{}", row.title);
        click_line(&mut clicked, 1);
        press(&mut typed, &[KeyCode::Enter]);
        assert_eq!(screen(&clicked), screen(&typed), "{}", row.title);
    }
}

#[test]
fn the_header_says_how_often_samples_come_in_truth() {
    let mut app = app((160, 24));
    let mut with = |sample_intervals: SampleIntervals| {
        app.turn(Msg::Delta(Box::new(Delta { sample_intervals, ..delta(NOW + 1) })));
        screen(&app).lines().next().unwrap_or_default().to_owned()
    };
    let seconds = |seconds: u64| Some(Duration::from_secs(seconds));
    assert!(with(SampleIntervals::default()).contains("every 1 s "), "a recording has its own times");
    assert!(with(SampleIntervals { every: seconds(1), ..SampleIntervals::default() }).contains("every 1 s "));
    assert!(with(SampleIntervals { every: seconds(4), ..SampleIntervals::default() }).contains("every 4 s (slow)"));
    let text = with(SampleIntervals { every: seconds(1), full_every: seconds(5), late: 0 });
    assert!(text.contains("every 1 s, all 5 s "), "{text}");
    let text = with(SampleIntervals { every: seconds(1), full_every: seconds(5), late: 1_203 });
    assert!(text.contains("every 1 s, all 5 s (1,203 late)"), "{text}");
}
