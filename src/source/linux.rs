//! (skeleton) Linux: sock_diag, /proc/net, owners.
