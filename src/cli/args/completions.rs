//! The arguments of `conntop completions`.

use clap::Args;
use clap_complete::Shell;

use crate::cli::Failure;
use crate::table::suggest;

pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  source <(conntop completions bash)        for this bash; in ~/.bashrc for every one
  conntop completions bash > ~/.local/share/bash-completion/completions/conntop
  conntop completions zsh > ~/.zfunc/_conntop
  conntop completions fish > ~/.config/fish/completions/conntop.fish
  conntop completions powershell >> $PROFILE

zsh needs the folder in its fpath before compinit: fpath+=~/.zfunc. After an update write them anew.";

/// The shells, as they are called on the command line.
pub(in crate::cli) const SHELLS: [(&str, Shell); 4] =
    [("bash", Shell::Bash), ("zsh", Shell::Zsh), ("fish", Shell::Fish), ("powershell", Shell::PowerShell)];

#[derive(Args, Debug)]
pub(in crate::cli) struct CompletionsArguments {
    /// bash, zsh, fish or powershell
    #[arg(value_name = "SHELL")]
    shell: String,
}

impl CompletionsArguments {
    /// The shell that was asked for.
    pub(in crate::cli) fn shell(&self) -> Result<Shell, Failure> {
        let name = &self.shell;
        let found = SHELLS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, shell)| *shell);
        found.ok_or_else(|| {
            let names = SHELLS.iter().map(|(known, _)| *known);
            let hint = suggest::hint(name, names, "there are bash, zsh, fish and powershell");
            Failure::Usage(format!("unknown shell '{name}'; {hint}"))
        })
    }
}
