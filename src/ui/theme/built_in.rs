//! The themes of conntop: the files of `assets/themes`, compiled in.

use std::sync::LazyLock;

use crate::ui::theme::Theme;
use crate::ui::theme::file;

/// Name and file of each theme, in the order of the menu. One that builds upon another stands after it.
#[rustfmt::skip]
const FILES: [(&str, &str); 6] = [
    ("default",       include_str!("../../../assets/themes/default.toml")),
    ("mono",          include_str!("../../../assets/themes/mono.toml")),
    ("dark",          include_str!("../../../assets/themes/dark.toml")),
    ("light",         include_str!("../../../assets/themes/light.toml")),
    ("high-contrast", include_str!("../../../assets/themes/high-contrast.toml")),
    ("colour-blind",  include_str!("../../../assets/themes/colour-blind.toml")),
];

static THEMES: LazyLock<Vec<Theme>> = LazyLock::new(|| {
    let mut themes = Vec::with_capacity(FILES.len());
    for (name, text) in FILES {
        themes.push(file::read(name, text, &themes).expect("a test reads every file of assets/themes"));
    }
    themes
});

/// Every theme of conntop, the default first.
pub fn themes() -> &'static [Theme] {
    &THEMES
}

/// Their names, without reading the files.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_assets_is_a_theme_and_has_a_sentence() {
        for (theme, name) in themes().iter().zip(names()) {
            assert_eq!(theme.name(), name);
            assert!(!theme.about().is_empty() && !theme.about().ends_with('.'), "{name}: {}", theme.about());
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/themes");
        let mut files: Vec<String> = fs::read_dir(folder)
            .expect("the folder of themes")
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        let mut listed: Vec<String> = names().map(|name| format!("{name}.toml")).collect();
        files.sort();
        listed.sort();
        assert_eq!(files, listed);
    }
}
