//! Text in quotes: as one word of a shell, and as one word of a filter.

/// `text` as one word of a POSIX shell.
pub fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `text` in the quotes of a filter that it does not contain; `None` where it contains both.
pub fn filter_word(text: &str) -> Option<String> {
    let quote = ['"', '\''].into_iter().find(|quote| !text.contains(*quote))?;
    Some(format!("{quote}{text}{quote}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_one_word_for_a_shell() {
        assert_eq!(shell_word("state:close-wait rport:5432"), "'state:close-wait rport:5432'");
        assert_eq!(shell_word("process:'; reboot"), r"'process:'\''; reboot'");
    }

    #[test]
    fn a_name_is_quoted_by_what_it_does_not_contain() {
        assert_eq!(filter_word("jdbc pool").as_deref(), Some("\"jdbc pool\""));
        assert_eq!(filter_word("the \"pool\"").as_deref(), Some("'the \"pool\"'"));
        assert_eq!(filter_word("'\""), None);
    }
}
