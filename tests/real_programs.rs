//! Real servers in trouble, and real servers that are well: nginx, haproxy, redis and gunicorn, each started for one
//! test in network and process namespaces of its own, from a configuration in a directory of its own. The first
//! finding must be the cause, name the program at fault and the place, count what the kernel counts, and say since
//! when within the bounds that the test knows; no other finding may accuse anybody else. `.ci/test` installs the programs.

#![cfg(target_os = "linux")]

#[path = "real/clients.rs"]
mod clients;
#[path = "real/connects.rs"]
mod connects;
#[path = "real/dead_sockets.rs"]
mod dead_sockets;
#[path = "real/healthy.rs"]
mod healthy;
#[path = "real/leaks.rs"]
mod leaks;
#[path = "common/namespace.rs"]
mod namespace;
#[path = "real/programs.rs"]
mod programs;
#[path = "real/queues.rs"]
mod queues;
#[path = "real/rates.rs"]
mod rates;
#[path = "real/readers.rs"]
mod readers;
#[allow(dead_code, reason = "tests/scenarios.rs needs more of it")]
#[path = "scenarios/stage.rs"]
mod stage;
#[allow(dead_code, reason = "tests/scenarios.rs needs more of it")]
#[path = "scenarios/verdict.rs"]
mod verdict;
#[path = "real/verdicts.rs"]
mod verdicts;
