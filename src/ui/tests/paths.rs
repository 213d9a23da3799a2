//! The way a connection took, drawn and in words, for each kind of path.

use super::*;
use crate::model::time::Timestamp;

fn millis(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

/// A socket that has gone from state to state: each with the second at which it began.
fn walked(socket: SocketBuilder, way: &[(TcpState, u64)]) -> (Connection, Vec<Transition>) {
    let mut connection = connection(socket, way[0].1 * 1_000);
    let (state, at) = way[way.len() - 1];
    connection.socket.state = state;
    connection.state_since = Some(Since { at: millis(at), basis: AgeBasis::Observed });
    let step = |from: Option<(TcpState, u64)>, (to, at): (TcpState, u64)| Transition {
        at: millis(at),
        lasted: from.map(|(_, began)| (Duration::from_secs(at - began), AgeBasis::Observed)),
        ..testing::transition(connection.socket.clone(), 0, from.map(|(state, _)| state), Some(to))
    };
    let before = std::iter::once(None).chain(way.iter().copied().map(Some));
    let transitions = before.zip(way).map(|(from, to)| step(from, *to)).collect();
    (connection, transitions)
}

/// The detail view of a connection that went `way`, on a screen of `size`.
fn detail_of(size: (u16, u16), socket: SocketBuilder, way: &[(TcpState, u64)]) -> App {
    let (connection, transitions) = walked(socket, way);
    let id = connection.socket.id;
    let mut app = App::new(Config { size, ..app((80, 24)).config });
    app.turn(Msg::Delta(Box::new(delta(NOW - 1))));
    let server = connection_of_the_other_end(&connection);
    app.turn(Msg::Delta(Box::new(Delta { added: vec![connection, server], transitions, ..delta(NOW) })));
    app.show_findings(found());
    app.open_detail(id);
    app.background(usize::MAX);
    app
}

fn connection_of_the_other_end(connection: &Connection) -> Connection {
    let mut other = connection.clone();
    other.socket.id = tcp(999_999).build().id;
    (other.socket.local, other.socket.remote) = (connection.socket.remote, connection.socket.local);
    other.socket.state = TcpState::FinWait2;
    other.socket.owner = tcp(1).held_by(&[process(77, "postgres")]).build().owner;
    other
}

use TcpState::{CloseWait, Established, FinWait1, FinWait2, SynSent, TimeWait};

fn client() -> SocketBuilder {
    tcp(7).local("127.0.0.1:51234").remote("127.0.0.1:5432").held_by(&[pool()])
}

/// A name, a socket, and its states with the second at which each began.
type Scene = (&'static str, SocketBuilder, Vec<(TcpState, u64)>);

fn scenes() -> Vec<Scene> {
    let used = client().bytes(378_000, 54_000).last(6_870_000, 6_872_000, 6_880_000).info(|info| {
        (info.rtt_us, info.rto_us) = (378, 201_000);
    });
    let leaked = used.clone().queues(0, 0);
    let gone = Owner::Remembered(Arc::new(Holders::new(vec![pool()]).expect("one process")));
    let waiting = client().mini(TimeWait).owner(gone).timer(TimerKind::TimeWait, 0, (NOW + 38) * 1_000);
    let calling = client().remote("203.0.113.9:443").timer(TimerKind::Retransmit, 3, (NOW + 7) * 1_000);
    let served = tcp(8).local("127.0.0.1:443").remote("127.0.0.1:40000").held_by(&[process(812, "nginx")]);
    vec![
        ("close_wait", leaked, vec![(SynSent, NOW - 3_400), (Established, NOW - 3_399), (CloseWait, NOW - 3_120)]),
        (
            "time_wait",
            waiting,
            vec![(Established, NOW - 300), (FinWait1, NOW - 24), (FinWait2, NOW - 23), (TimeWait, NOW - 22)],
        ),
        ("established", served.queues(0, 0), vec![(TcpState::SynRecv, NOW - 61), (Established, NOW - 60)]),
        ("syn_sent", calling, vec![(SynSent, NOW - 8)]),
    ]
}

#[test]
fn the_way_a_connection_took() {
    for (name, socket, way) in scenes() {
        for size in [(80, 24), (120, 40), (200, 60)] {
            let app = detail_of(size, socket.clone(), &way);
            insta::assert_snapshot!(format!("path_{name}_{}x{}", size.0, size.1), screen(&app));
        }
    }
}

#[test]
fn a_path_can_be_drawn_in_ascii_and_at_every_size() {
    let (_, socket, way) = scenes().remove(1);
    let mut app = detail_of((200, 60), socket, &way);
    let screen = |app: &App| drawn(app, &Theme::mono().with_ascii(true)).backend().to_string();
    insta::assert_snapshot!("path_time_wait_ascii", screen(&app));
    for size in (40..230).step_by(3).flat_map(|width| (10..70).step_by(3).map(move |height| (width, height))) {
        app.turn(Msg::Resize(size.0, size.1));
        assert!(screen(&app).is_ascii(), "{size:?}");
    }
}
