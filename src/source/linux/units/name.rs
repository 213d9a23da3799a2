//! From the path of a cgroup to the service unit, container or pod that it belongs to. Knows no files and asks no
//! container engine: engines and service managers put their names into the path.

/// This many digits of a container's id are shown, as docker ps and podman ps do.
const CONTAINER_ID_LEN: usize = 12;
/// This many digits of a pod's uid are shown.
const POD_UID_LEN: usize = 8;

/// What engines put before the 64 digits of a container's id, and what to call the engine.
#[rustfmt::skip]
const ENGINES: &[(&str, &str)] = &[
    ("docker-",         "docker"),
    ("libpod-conmon-",  "podman"),
    ("libpod-",         "podman"),
    ("cri-containerd-", "containerd"),
    ("nerdctl-",        "containerd"),
    ("containerd-",     "containerd"),
    ("crio-conmon-",    "crio"),
    ("crio-",           "crio"),
    ("buildah-",        "buildah"),
];

/// Directories under which engines put a directory for each container, called by its id or its name.
#[rustfmt::skip]
const PARENTS: &[(&str, &str)] = &[
    ("docker",        "docker"),
    ("libpod_parent", "podman"),
    ("lxc",           "lxc"),
    ("lxc.payload",   "lxc"),
    ("lxc.monitor",   "lxc"),
];

/// The unit that the cgroup at `path` (from the root of the hierarchy) belongs to, in the words of those who made it:
/// `nginx.service`, `session-3.scope`, `docker:1a2b3c4d5e6f`, `pod:0f1e2d3c/1a2b3c4d5e6f`, `lxc:web`; a unit inside of
/// a container stands behind it (`lxc:web/nginx.service`). Where nothing is known, the last directory; `None` at the
/// root.
pub fn unit_of(path: &str) -> Option<String> {
    let directories: Vec<&str> = path.split('/').filter(|name| !name.is_empty() && !is_noise(name)).collect();
    let pod = directories.iter().rev().find_map(|name| pod(name)?.get(..POD_UID_LEN));
    let holder = (0..directories.len()).rev().find_map(|at| Some((at, container(&directories, at)?)));
    let (inside, outer) = match (pod, holder) {
        (Some(uid), Some((at, Container { id, .. }))) => (at + 1, Some(format!("pod:{uid}/{id}"))),
        (Some(uid), None) => (directories.len(), Some(format!("pod:{uid}"))),
        (None, Some((at, container))) => (at + 1, Some(container.to_string())),
        (None, None) => (0, None),
    };
    let inner = directories.get(inside..).unwrap_or_default().iter().rev().find(|name| is_unit(name));
    match (outer, inner) {
        (Some(outer), Some(unit)) => Some(format!("{outer}/{unit}")),
        (Some(outer), None) => Some(outer),
        (None, Some(unit)) => Some(machine(unit).unwrap_or_else(|| (*unit).to_owned())),
        (None, None) => path.split('/').rfind(|name| !["", "..", "."].contains(name)).map(str::to_owned),
    }
}

/// A container: who made it, and its id or name.
struct Container<'a> {
    engine: &'static str,
    id: &'a str,
}

impl std::fmt::Display for Container<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.engine, self.id)
    }
}

/// The container whose directory is `directories[at]`.
fn container<'a>(directories: &[&'a str], at: usize) -> Option<Container<'a>> {
    let name = *directories.get(at)?;
    let parent = at.checked_sub(1).and_then(|at| directories.get(at)).copied();
    // `PARENT.slice:cri-containerd:ID`: systemd's notation, taken for a name by an engine that does not use systemd.
    if let Some((rest, id)) = name.rsplit_once(':') {
        let prefix = rest.rsplit_once(':').map_or(rest, |(_, prefix)| prefix);
        let engine = ENGINES.iter().find(|(before, _)| before.strip_suffix('-') == Some(prefix))?.1;
        return Some(Container { engine, id: short(id)? });
    }
    let scope = name.strip_suffix(".scope").unwrap_or(name);
    let engine = ENGINES.iter().find_map(|(before, engine)| Some((*engine, short(scope.strip_prefix(before)?)?)));
    if let Some((engine, id)) = engine {
        return Some(Container { engine, id });
    }
    let kept_by = PARENTS.iter().find(|(directory, _)| parent == Some(*directory)).map(|(_, engine)| *engine);
    if let Some(id) = short(name) {
        return Some(Container { engine: kept_by.unwrap_or("container"), id });
    }
    let lxc = ["lxc.payload.", "lxc.monitor."].iter().find_map(|before| name.strip_prefix(before));
    let id = lxc.or_else(|| kept_by.filter(|engine| *engine == "lxc").map(|_| name))?;
    Some(Container { engine: "lxc", id })
}

/// The first digits of a container's id (64 hexadecimal digits; of ECS, 32 and a number behind them).
fn short(id: &str) -> Option<&str> {
    let digits = id.split_once('-').map_or(id, |(digits, _)| digits);
    let is_id = matches!(digits.len(), 32 | 64) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| digits.get(..CONTAINER_ID_LEN)).flatten()
}

/// The uid in `podUID` or `kubepods-burstable-podUID.slice`, dashes written as underscores by systemd.
fn pod(name: &str) -> Option<&str> {
    let name = name.split(':').next().unwrap_or(name);
    let name = name.strip_suffix(".slice").unwrap_or(name);
    let uid = if name.contains("kubepods") { name.rsplit_once("-pod")?.1 } else { name.strip_prefix("pod")? };
    let is_uid = uid.len() >= POD_UID_LEN && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || b"-_".contains(&byte));
    is_uid.then_some(uid)
}

/// Whether systemd made it: `nginx.service`, `session-3.scope`, `sshd.socket`.
fn is_unit(name: &str) -> bool {
    [".service", ".scope", ".socket", ".mount", ".swap"].iter().any(|suffix| name.ends_with(suffix))
}

/// Directories that containers and virtual machines have inside of their own and that say nothing.
fn is_noise(name: &str) -> bool {
    ["payload", "supervisor", "libpod-payload", "container", "emulator", "vcpu", ".lxc", "ns"].contains(&name)
}

/// `machine-qemu\x2d1\x2dweb.scope` and `systemd-nspawn@web.service` are machines: `machine:qemu-1-web`, `machine:web`.
fn machine(unit: &str) -> Option<String> {
    let scope = unit.strip_prefix("machine-").and_then(|rest| rest.strip_suffix(".scope"));
    let nspawn = || unit.strip_prefix("systemd-nspawn@").and_then(|rest| rest.strip_suffix(".service"));
    scope.or_else(nspawn).map(|name| format!("machine:{}", name.replace("\\x2d", "-")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f809";
    const UID: &str = "0f1e2d3c_4b5a_6978_8796_a5b4c3d2e1f0";

    /// Paths as they are on machines (`/proc/PID/cgroup`); `ID` is a container's id, `UID` a pod's.
    #[rustfmt::skip]
    const REAL: &[(&str, Option<&str>)] = &[
        ("/",                                                                               None),
        ("",                                                                                None),
        ("/init.scope",                                                                     Some("init.scope")),
        ("/system.slice/nginx.service",                                                     Some("nginx.service")),
        ("/system.slice/ssh.socket",                                                        Some("ssh.socket")),
        ("/system.slice/system-getty.slice/getty@tty1.service",                             Some("getty@tty1.service")),
        ("/system.slice/system-postgresql.slice/postgresql@16-main.service",                Some("postgresql@16-main.service")),
        ("/system.slice/docker.service",                                                    Some("docker.service")),
        ("/system.slice/run-u812.service/worker-3",                                         Some("run-u812.service")),
        ("/system.slice",                                                                   Some("system.slice")),
        ("/user.slice/user-1000.slice/session-3.scope",                                     Some("session-3.scope")),
        ("/user.slice/user-1000.slice/user@1000.service/init.scope",                        Some("init.scope")),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/dbus.service",            Some("dbus.service")),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-4121.scope", Some("app-gnome-firefox-4121.scope")),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope",        Some("docker:1a2b3c4d5e6f")),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container", Some("podman:1a2b3c4d5e6f")),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_ID.slice/libpod-ID.scope", Some("podman:1a2b3c4d5e6f")),
        ("/system.slice/docker-ID.scope",                                                   Some("docker:1a2b3c4d5e6f")),
        ("/docker/ID",                                                                      Some("docker:1a2b3c4d5e6f")),
        ("/docker/ID/system.slice/nginx.service",                                           Some("docker:1a2b3c4d5e6f/nginx.service")),
        ("/docker/buildx/docker/ID",                                                        Some("docker:1a2b3c4d5e6f")),
        ("/docker/ID/kubepods/besteffort/podUID/ID",                                        Some("pod:0f1e2d3c/1a2b3c4d5e6f")),
        ("/machine.slice/libpod-ID.scope",                                                  Some("podman:1a2b3c4d5e6f")),
        ("/machine.slice/libpod-conmon-ID.scope",                                           Some("podman:1a2b3c4d5e6f")),
        ("/libpod_parent/libpod-ID",                                                        Some("podman:1a2b3c4d5e6f")),
        ("/system.slice/containerd.service/kubepods-burstable-podUID.slice:cri-containerd:ID", Some("pod:0f1e2d3c/1a2b3c4d5e6f")),
        ("/system.slice:docker:ID",                                                         Some("docker:1a2b3c4d5e6f")),
        ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice/cri-containerd-ID.scope", Some("pod:0f1e2d3c/1a2b3c4d5e6f")),
        ("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podUID.slice/crio-ID.scope", Some("pod:0f1e2d3c/1a2b3c4d5e6f")),
        ("/kubepods.slice/kubepods-podUID.slice/docker-ID.scope",                           Some("pod:0f1e2d3c/1a2b3c4d5e6f")),
        ("/kubepods.slice/kubepods-podUID.slice",                                           Some("pod:0f1e2d3c")),
        ("/kubepods/burstable/podUID/ID",                                                   Some("pod:0f1e2d3c/1a2b3c4d5e6f")),
        ("/kubepods/pod0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0/ID",                            Some("pod:0f1e2d3c/1a2b3c4d5e6f")),
        ("/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podUID.slice/cri-containerd-ID.scope", Some("pod:0f1e2d3c/1a2b3c4d5e6f")),
        ("/system.slice/nerdctl-ID.scope",                                                  Some("containerd:1a2b3c4d5e6f")),
        ("/default/ID",                                                                     Some("container:1a2b3c4d5e6f")),
        ("/ecs/1a2b3c4d5e6f708192a3b4c5d6e7f809/1a2b3c4d5e6f708192a3b4c5d6e7f809-2531612879", Some("container:1a2b3c4d5e6f")),
        ("/lxc.payload.web",                                                                Some("lxc:web")),
        ("/lxc.payload.web/system.slice/nginx.service",                                     Some("lxc:web/nginx.service")),
        ("/lxc.monitor.web",                                                                Some("lxc:web")),
        ("/lxc/100/ns/system.slice/sshd.service",                                           Some("lxc:100/sshd.service")),
        ("/lxc/web",                                                                        Some("lxc:web")),
        ("/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator",                Some("machine:qemu-1-web")),
        ("/machine.slice/systemd-nspawn@web.service/payload",                               Some("machine:web")),
        ("/process_api/290461172cb6fb2914dae7185155a3b8",                                   Some("container:290461172cb6")),
        ("/my-batch/job-7",                                                                 Some("job-7")),
        ("/../other",                                                                       Some("other")),
    ];

    #[test]
    fn paths_of_real_machines_are_understood() {
        for (path, unit) in REAL {
            let path = path.replace("UID", UID).replace("ID", ID);
            assert_eq!(unit_of(&path).as_deref(), *unit, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_survived_and_none_is_longer_than_the_path(path in "(/[a-z:0-9é.\\-]{0,70}){0,6}") {
            let unit = unit_of(&path);
            prop_assert!(unit.is_none_or(|unit| !unit.is_empty() && unit.len() <= path.len() + "container:".len()));
        }

        #[test]
        fn any_text_is_survived(path: String) {
            let _ = unit_of(&path);
        }
    }
}
