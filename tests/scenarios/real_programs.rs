//! Real servers in trouble, and real servers that are well: nginx, haproxy, redis and gunicorn, each started for one
//! test in network and process namespaces of its own, from a configuration in a directory of its own. The first
//! finding must be the cause, name the program at fault and the place, count what the kernel counts, and say since
//! when within the bounds that the test knows; no other finding may accuse anybody else. `.ci/test` installs the programs.

#![cfg(target_os = "linux")]

mod clients;
mod connects;
mod dead_sockets;
mod healthy;
mod leaks;
mod programs;
mod queues;
mod rates;
mod readers;
mod verdicts;
