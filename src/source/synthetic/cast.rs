//! Who lives on the made-up machine: users, interfaces, processes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use crate::model::exposure::AddressKinds;
use crate::model::process::{Holders, Names, Owner, Process, ProcessId};
use crate::model::reach::ALL_INTERFACES;
use crate::model::socket::NetnsId;
use crate::model::text::DisplayText;
use crate::model::time::{CLOCK_TICK, Timestamp, WallTime};
use crate::source::synthetic::addresses::{LOCAL_V4, LOCAL_V6, NETNS};

/// A process of the made-up machine; the table below has its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CastProcess {
    Resolved,
    Chronyd,
    Sshd,
    Session,
    NginxMaster,
    NginxWorker1,
    NginxWorker2,
    NginxWorker3,
    NginxWorker4,
    JdbcPool,
    CronSync,
    ReportApi,
    Postgres,
    PostgresBackend,
    Redis,
    NodeExporter,
    WebWorker,
    LogShipper,
    BackupAgent,
    MailRelay,
    Gateway,
}

/// Every nginx process: they share the listeners (prefork).
pub const NGINX: [CastProcess; 5] = [
    CastProcess::NginxMaster,
    CastProcess::NginxWorker1,
    CastProcess::NginxWorker2,
    CastProcess::NginxWorker3,
    CastProcess::NginxWorker4,
];
/// Those of them that serve clients.
pub const NGINX_WORKERS: [CastProcess; 4] =
    [CastProcess::NginxWorker1, CastProcess::NginxWorker2, CastProcess::NginxWorker3, CastProcess::NginxWorker4];

struct CastRow {
    part: CastProcess,
    pid: u32,
    parent: u32,
    /// `comm`: at most 15 bytes, as the kernel keeps it.
    name: &'static str,
    uid: u32,
    /// Seconds from boot to its start.
    born: u32,
    cgroup: u64,
    unit: &'static str,
    command: &'static str,
}

#[rustfmt::skip]
const ROWS: [CastRow; 21] = [
    CastRow { part: CastProcess::Resolved,        pid: 611,    parent: 1,    name: "systemd-resolve", uid: 101,  born: 9,       cgroup: 3_112, unit: "systemd-resolved.service",   command: "/usr/lib/systemd/systemd-resolved" },
    CastRow { part: CastProcess::Chronyd,         pid: 702,    parent: 1,    name: "chronyd",         uid: 108,  born: 11,      cgroup: 3_340, unit: "chrony.service",             command: "/usr/sbin/chronyd -F 1" },
    CastRow { part: CastProcess::Sshd,            pid: 745,    parent: 1,    name: "sshd",            uid: 0,    born: 12,      cgroup: 3_378, unit: "ssh.service",                command: "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups" },
    CastRow { part: CastProcess::Session,         pid: 91_240, parent: 745,  name: "sshd",            uid: 1000, born: 790_120, cgroup: 9_021, unit: "session-3.scope",            command: "sshd: deploy@pts/0" },
    CastRow { part: CastProcess::NginxMaster,     pid: 812,    parent: 1,    name: "nginx",           uid: 0,    born: 14,      cgroup: 3_491, unit: "nginx.service",              command: "nginx: master process /usr/sbin/nginx -g daemon on; master_process on;" },
    CastRow { part: CastProcess::NginxWorker1,    pid: 813,    parent: 812,  name: "nginx",           uid: 33,   born: 14,      cgroup: 3_491, unit: "nginx.service",              command: "nginx: worker process" },
    CastRow { part: CastProcess::NginxWorker2,    pid: 814,    parent: 812,  name: "nginx",           uid: 33,   born: 14,      cgroup: 3_491, unit: "nginx.service",              command: "nginx: worker process" },
    CastRow { part: CastProcess::NginxWorker3,    pid: 815,    parent: 812,  name: "nginx",           uid: 33,   born: 14,      cgroup: 3_491, unit: "nginx.service",              command: "nginx: worker process" },
    CastRow { part: CastProcess::NginxWorker4,    pid: 816,    parent: 812,  name: "nginx",           uid: 33,   born: 14,      cgroup: 3_491, unit: "nginx.service",              command: "nginx: worker process" },
    CastRow { part: CastProcess::JdbcPool,        pid: 4_121,  parent: 1,    name: "jdbc-pool",       uid: 1001, born: 788_400, cgroup: 5_210, unit: "docker:9f3c21ab04de",        command: "/usr/lib/jvm/java-21-openjdk-amd64/bin/java -Xms512m -Xmx2g -Dspring.profiles.active=prod -Djdbc.pool.max=64 -jar /srv/orders/orders-api-3.8.1.jar --server.port=8081" },
    CastRow { part: CastProcess::CronSync,        pid: 5_377,  parent: 1,    name: "cron-sync",       uid: 1001, born: 650_020, cgroup: 5_344, unit: "cron-sync.service",          command: "/usr/bin/python3 /srv/sync/cron-sync.py --cache cache-2:6379 --every 50ms" },
    CastRow { part: CastProcess::ReportApi,       pid: 6_002,  parent: 1,    name: "report-api",      uid: 1001, born: 701_777, cgroup: 5_388, unit: "pod:4be1d07a/c2750e91fa33",  command: "/srv/report/bin/report-api --listen 0.0.0.0:9090 --workers 1" },
    CastRow { part: CastProcess::Postgres,        pid: 1_104,  parent: 1,    name: "postgres",        uid: 114,  born: 16,      cgroup: 3_702, unit: "postgresql@16-main.service", command: "/usr/lib/postgresql/16/bin/postgres -D /var/lib/postgresql/16/main -c config_file=/etc/postgresql/16/main/postgresql.conf" },
    CastRow { part: CastProcess::PostgresBackend, pid: 4_410,  parent: 1104, name: "postgres",        uid: 114,  born: 788_460, cgroup: 3_702, unit: "postgresql@16-main.service", command: "postgres: 16/main: web web 127.0.0.1(40310) idle" },
    CastRow { part: CastProcess::Redis,           pid: 1_131,  parent: 1,    name: "redis-server",    uid: 115,  born: 16,      cgroup: 3_744, unit: "redis-server.service",       command: "/usr/bin/redis-server 127.0.0.1:6379" },
    CastRow { part: CastProcess::NodeExporter,    pid: 1_188,  parent: 1,    name: "node_exporter",   uid: 116,  born: 17,      cgroup: 3_786, unit: "node_exporter.service",      command: "/usr/bin/node_exporter --web.listen-address=:9100" },
    CastRow { part: CastProcess::WebWorker,       pid: 3_981,  parent: 1,    name: "web-worker",      uid: 33,   born: 788_390, cgroup: 5_166, unit: "docker:51d08e7c2b96",        command: "/srv/web/bin/web-worker --upstream 127.0.0.1:8082" },
    CastRow { part: CastProcess::LogShipper,      pid: 1_240,  parent: 1,    name: "log-shipper",     uid: 0,    born: 18,      cgroup: 3_829, unit: "log-shipper.service",        command: "/usr/bin/log-shipper -c /etc/log-shipper.toml" },
    CastRow { part: CastProcess::BackupAgent,     pid: 77_310, parent: 1,    name: "backup-agent",    uid: 0,    born: 786_600, cgroup: 8_410, unit: "backup.service",             command: "/opt/backup/agent --to vault-9:873 --full" },
    CastRow { part: CastProcess::MailRelay,       pid: 1_302,  parent: 1,    name: "master",          uid: 0,    born: 19,      cgroup: 3_871, unit: "postfix@-.service",          command: "/usr/lib/postfix/sbin/master -w" },
    CastRow { part: CastProcess::Gateway,         pid: 2_750,  parent: 1,    name: "ws-gateway",      uid: 1001, born: 41,      cgroup: 4_555, unit: "podman:e40ab7719c5d",        command: "/srv/gateway/bin/ws-gateway --listen 0.0.0.0:8443" },
];

const USERS: [(u32, &str); 12] = [
    (0, "root"),
    (33, "www-data"),
    (101, "systemd-resolve"),
    (108, "_chrony"),
    (114, "postgres"),
    (115, "redis"),
    (116, "prometheus"),
    (997, "vault"),
    (1000, "deploy"),
    (1001, "app"),
    (1002, "etl"),
    (65534, "nobody"),
];

const INTERFACES: [(u32, &str); 3] = [(1, "lo"), (2, "eth0"), (3, "docker0")];

/// What a socket takes from the process that holds it.
#[derive(Clone, Debug)]
pub struct SocketHolder {
    /// The processes, shared by all their sockets.
    pub holders: Arc<Holders>,
    /// The uid of the one that made the socket.
    pub uid: u32,
    /// Its cgroup.
    pub cgroup: u64,
}

impl SocketHolder {
    /// These processes as a live owner.
    pub fn owner(&self) -> Owner {
        Owner::Live(Arc::clone(&self.holders))
    }
}

/// Every process of the made-up machine, ready to own sockets.
#[derive(Debug)]
pub struct Cast {
    singles: Vec<SocketHolder>,
    nginx: SocketHolder,
}

impl Cast {
    /// The cast on a machine that was started at `boot`.
    pub fn new(boot: WallTime) -> Self {
        let processes: Vec<Arc<Process>> = ROWS.iter().map(|row| Arc::new(process(row, boot))).collect();
        let hold = |parts: &[CastProcess]| {
            let held = parts.iter().map(|part| Arc::clone(&processes[*part as usize])).collect();
            let row = &ROWS[parts[0] as usize];
            let holders = Arc::new(Holders::new(held).expect("no group of parts is empty"));
            SocketHolder { holders, uid: row.uid, cgroup: row.cgroup }
        };
        Self { singles: ROWS.iter().map(|row| hold(&[row.part])).collect(), nginx: hold(&NGINX) }
    }

    /// The holder of what `part` alone has open.
    pub fn one(&self, part: CastProcess) -> &SocketHolder {
        &self.singles[part as usize]
    }

    /// The holder of the listeners that all nginx processes share.
    pub fn nginx(&self) -> &SocketHolder {
        &self.nginx
    }
}

const TICKS_A_SECOND: u32 = 1_000 / CLOCK_TICK.subsec_millis();

fn process(row: &CastRow, boot: WallTime) -> Process {
    Process {
        id: ProcessId { pid: row.pid, start_ticks: u64::from(row.born * TICKS_A_SECOND) + u64::from(row.pid % 100) },
        parent_pid: row.parent,
        name: DisplayText::from(row.name),
        command: DisplayText::from(row.command),
        uid: Some(row.uid),
        started: Some(WallTime(boot.0 + i64::from(row.born) * 1_000)),
        is_container_init: false,
        thread: None,
    }
}

/// The interfaces but lo, with their addresses.
const ADDRESSES: [(u32, IpAddr); 3] = [(2, LOCAL_V4), (2, LOCAL_V6), (3, IpAddr::V4(Ipv4Addr::new(172, 17, 0, 1)))];

fn reachable() -> BTreeMap<(NetnsId, u32), AddressKinds> {
    let mut reachable = BTreeMap::new();
    for (index, ip) in ADDRESSES {
        for key in [(NETNS, index), (NETNS, ALL_INTERFACES)] {
            let kinds: &mut AddressKinds = reachable.entry(key).or_default();
            *kinds = kinds.with(AddressKinds::of(ip));
        }
    }
    reachable
}

/// The names of the machine's users, interfaces, its one network namespace, and units.
pub fn names() -> Names {
    let interfaces = INTERFACES.iter().map(|&(index, name)| ((NETNS, index), DisplayText::from(name)));
    let units = ROWS.iter().map(|row| (row.cgroup, DisplayText::from(row.unit)));
    Names {
        users: USERS.iter().map(|&(number, name)| (number, DisplayText::from(name))).collect(),
        interfaces: interfaces.collect(),
        namespaces: [(NETNS, "own".into())].into(),
        own: Some(NETNS),
        reachable: reachable(),
        units: units.collect(),
        ..Names::default()
    }
}

/// When the machine was started, if it is `wall` now and it has been up until `now`.
pub fn boot(now: Timestamp, wall: WallTime) -> WallTime {
    wall.before(Duration::from_millis(now.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_the_parts_with_names_the_kernel_could_keep() {
        let users = names().users;
        for (index, row) in ROWS.iter().enumerate() {
            assert_eq!(row.part as usize, index);
            assert!(row.name.len() <= 15, "{}", row.name);
            assert!(users.contains_key(&row.uid), "{}", row.uid);
        }
    }

    #[test]
    fn nginx_shares_its_listeners_and_every_pid_is_its_own() {
        let cast = Cast::new(WallTime(0));
        let pids: Vec<u32> = cast.nginx().holders.all().iter().map(|process| process.id.pid).collect();
        assert_eq!(pids, [812, 813, 814, 815, 816]);
        let all: std::collections::BTreeSet<u32> = ROWS.iter().map(|row| row.pid).collect();
        assert_eq!(all.len(), ROWS.len());
    }
}
