//! What the environment says of the terminal: its type and the characters it takes.

use std::env;
use std::ffi::OsString;

/// Whether the terminal cannot move its cursor: a screen would be a heap of codes there.
pub(super) fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Whether the locale takes UTF-8.
pub(super) fn takes_utf8() -> bool {
    locale_takes_utf8(|name| env::var_os(name))
}

/// The first variable that is set and not empty counts (locale(7)). Where none is, as in most containers, nothing is
/// known of the terminal, and nearly all terminals take UTF-8.
fn locale_takes_utf8(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    locale.is_none_or(|locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_counts() {
        for (set, is_utf8) in [
            (&[][..], true),
            (&[("LANG", "")], true),
            (&[("LANG", "C")], false),
            (&[("LANG", "POSIX")], false),
            (&[("LANG", "C.UTF-8")], true),
            (&[("LANG", "de_DE.utf8@euro")], true),
            (&[("LANG", "tr_TR.ISO-8859-9")], false),
            (&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")], false),
            (&[("LC_ALL", ""), ("LC_CTYPE", "en_US.UTF-8"), ("LANG", "C")], true),
        ] {
            let variable = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            assert_eq!(locale_takes_utf8(variable), is_utf8, "{set:?}");
        }
    }
}
