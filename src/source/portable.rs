//! (skeleton) netstat2 and sysinfo.
