//! A finding has its mark on every tab where its process, its peer, its listener or its port stands, and on no other row.

use std::path::Path;

use conntop::app::msg::Msg;
use conntop::app::tabs::Tab;
use conntop::app::{App, Config};
use conntop::diagnosis::finding::{Finding, FindingScope};
use conntop::model::address::Destination;
use conntop::model::delta::Transition;
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::socket::SocketId;
use conntop::source::replay::Replay;
use conntop::source::{Pace, Source};
use conntop::store::groups::{Group, GroupKey};
use conntop::store::row::SocketRow;
use conntop::table::filter::Filter;
use conntop::tracker::Tracker;

use crate::typing::{picture, press};

/// So high that every row of a recording is on the screen.
const SIZE: (u16, u16) = (200, 700);

/// The app after the whole of a recording.
fn played(path: &Path) -> App {
    let mut replay = Replay::open(path).expect("the recording is sound");
    let mut app = App::new(Config::new(replay.info().clone(), SIZE));
    let (mut tracker, mut snapshot) = (Tracker::new(), Snapshot::default());
    loop {
        let pace = replay.sample(&Needs::default(), &mut snapshot).expect("the recording is sound");
        app.turn(Msg::Delta(Box::new(tracker.finish(&mut snapshot))));
        while app.is_busy() {
            app.background(usize::MAX);
        }
        if pace == Pace::Last {
            return app;
        }
    }
}

/// Whether each of the first `count` rows of the tab on the screen has the mark of a finding.
fn marked(app: &App, count: usize) -> Vec<bool> {
    let body = app.layout().expect("large enough").body;
    let picture = picture(app);
    let lines = picture.lines().skip(usize::from(body.y)).take(count);
    lines.map(|line| matches!(line.chars().nth(1), Some('▲' | '△'))).collect()
}

fn findings(app: &App) -> Vec<&Finding> {
    app.panels.findings.iter().collect()
}

/// The finding is about one process, and `text` is how its sentence names it.
fn names(finding: &Finding, pid: u32) -> bool {
    finding.process_shares.iter().any(|share| share.process.id.pid == pid)
        || finding.sentence.contains(&format!("[{pid}]"))
}

fn is_place(on: Destination, port: u16) -> bool {
    on.port == port
}

/// Whether the group is what the sentence of some finding says: the expectation, from the text that a person reads.
fn is_subject(findings: &[&Finding], group: &Group) -> bool {
    findings.iter().any(|finding| match (group.key, finding.key.scope) {
        (GroupKey::Process(id), _) => {
            names(finding, id.pid) && finding.process_shares.iter().any(|share| share.process.id == id)
        }
        (GroupKey::Remote { address, port, .. }, FindingScope::To(to)) => {
            to.address == address && Some(to.port) == port
        }
        (GroupKey::Listener { id, place }, FindingScope::On(on)) => match finding.key.listener {
            Some(listener) => listener == id,
            None => is_place(on, place.destination().port),
        },
        (GroupKey::PortPool(route), FindingScope::To(to)) => route.to == to,
        _ => false,
    })
}

/// Whether a filter of a finding shows the socket.
fn is_part(app: &App, id: SocketId) -> bool {
    let row = app.store.rows().live(id);
    let matches =
        |text: &str| Filter::parse(text).is_ok_and(|filter| row.is_some_and(|row| filter.matches(row, &app.store)));
    app.panels.findings.iter().any(|finding| finding.filters().any(matches))
}

/// Whether program and peer, or the port of the listener, of a finding stand in the line.
fn stands_in(findings: &[&Finding], entry: &Transition) -> bool {
    findings.iter().any(|finding| match finding.key.scope {
        FindingScope::To(to) => {
            let is_peer = entry.remote.addr.to_canonical() == to.address.ip() && entry.remote.port == to.port;
            let program = entry.owner.process().map(|process| process.name.clone());
            is_peer && (finding.key.program.is_none() || program == finding.program)
        }
        FindingScope::On(on) => entry.local.port == on.port,
        FindingScope::Machine | FindingScope::Process => false,
    })
}

#[test]
fn a_finding_is_marked_on_every_tab_where_its_subject_stands_and_nothing_else_is() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    // Rows with a mark on each kind of tab, over all recordings.
    let mut seen = [0_usize; 7];
    let mut recordings = 0;
    for file in std::fs::read_dir(directory).expect("it is there") {
        let path = file.expect("it can be read").path();
        let mut app = played(&path);
        recordings += 1;
        for (nth, tab) in [Tab::Processes, Tab::Remotes, Tab::Listeners, Tab::Ports].into_iter().enumerate() {
            press(&mut app, &tab.row().number().to_string());
            while app.is_busy() {
                app.background(usize::MAX);
            }
            let panel = match tab {
                Tab::Processes => &app.panels.processes,
                Tab::Remotes => &app.panels.remotes,
                Tab::Listeners => &app.panels.listeners,
                _ => &app.panels.ports,
            };
            let rows: Vec<&Group> = panel
                .window(usize::from(app.layout().expect("large enough").body.height))
                .map(|(_, group)| group)
                .collect();
            for (group, is_marked) in rows.iter().zip(marked(&app, rows.len())) {
                // What has no process is told by the sockets that are part of it.
                if let GroupKey::NoProcess(why, _) = group.key {
                    let is_it = |row: &&SocketRow| row.connection.socket.owner.no_process() == Some(why);
                    let mut rows = app.store.rows().iter().map(|(_, row)| row).filter(is_it);
                    assert!(
                        !is_marked || rows.any(|row| is_part(&app, row.connection.socket.id)),
                        "{}: {why:?}",
                        path.display()
                    );
                }
                let expected = match group.key {
                    GroupKey::NoProcess(..) => is_marked,
                    _ => is_subject(&findings(&app), group),
                };
                assert_eq!(is_marked, expected, "{}: {:?} on {}", path.display(), group.key, tab.row().title);
                seen[nth] += usize::from(is_marked);
            }
        }
        press(&mut app, "1tk⏎");
        while app.is_busy() {
            app.background(usize::MAX);
        }
        let rows: Vec<SocketId> = app
            .panels
            .connections
            .window(&app.store, 600)
            .filter(|(_, row)| !row.is_closed())
            .map(|(_, row)| row.connection.socket.id)
            .collect();
        let closed: Vec<bool> =
            app.panels.connections.window(&app.store, 600).map(|(_, row)| row.is_closed()).collect();
        let marks = marked(&app, closed.len());
        let of_live = marks.iter().zip(&closed).filter(|(_, closed)| !**closed).map(|(mark, _)| *mark);
        for (id, is_marked) in rows.iter().zip(of_live) {
            assert_eq!(is_marked, is_part(&app, *id), "{}: {id:?}", path.display());
            seen[4] += usize::from(is_marked);
        }
        press(&mut app, "8");
        let height = usize::from(app.layout().expect("large enough").body.height);
        let entries: Vec<Transition> =
            app.panels.log.window(&app.store, height).map(|(_, line)| line.transition().clone()).collect();
        for (entry, is_marked) in entries.iter().zip(marked(&app, entries.len())) {
            let expected = is_part(&app, entry.id) || stands_in(&findings(&app), entry);
            assert_eq!(is_marked, expected, "{}: {entry:?}", path.display());
            seen[5] += usize::from(is_marked);
        }
        press(&mut app, "5");
        let picture = picture(&app);
        for row in conntop::model::tcp_state::STATES {
            let line =
                picture.lines().find(|line| line.trim_start_matches(['"', ' ']).starts_with(&format!("{} ", row.name)));
            let is_marked = line.is_some_and(|line| line.chars().take(40).any(|mark| matches!(mark, '▲' | '△')));
            let expected = findings(&app).iter().any(|finding| finding.state == Some(row.state));
            assert!(line.is_none() || is_marked == expected, "{}: {}\n{picture}", path.display(), row.name);
            seen[6] += usize::from(is_marked);
        }
    }
    assert!(recordings > 25 && seen.iter().all(|rows| *rows > 5), "{seen:?} in {recordings}: this proves little");
}
