/**
 * The scripts that shells load. Each asks the program for the completions of the last word, one a line, or hears
 * `:files` or `:folders` and completes the path itself, after `--flag=` and `file://`.
 */
export const SCRIPTS = {
  bash: `# Load it in ~/.bashrc: source <(backuptool completion bash)
_backuptool() {
  local line=\${COMP_LINE:0:COMP_POINT} words=() replies=() current
  read -a words <<<"$line"
  [[ $line == *[[:blank:]] ]] && words+=("")
  current=\${words[\${#words[@]} - 1]}
  mapfile -t replies < <(backuptool __complete "\${words[@]:1}" 2>/dev/null)
  if [[ \${replies[0]} == :* ]]; then
    local action=file
    [[ \${replies[0]} == :folders ]] && action=directory
    [[ $current =~ ^(--[^=]*=)?(file://)?(.*)$ ]]
    mapfile -t replies < <(
      compgen -P "\${BASH_REMATCH[1]}\${BASH_REMATCH[2]}" -A $action -- "\${BASH_REMATCH[3]}"
    )
    compopt -o filenames 2>/dev/null
  fi
  [[ \${#replies[@]} == 1 && \${replies[0]} == *[/:] ]] && compopt -o nospace 2>/dev/null
  # bash replaces only what follows the last : or =
  COMPREPLY=("\${replies[@]#"\${current%"\${current##*[:=]}"}"}")
}
complete -F _backuptool backuptool
`,
  zsh: `#compdef backuptool
# Load it in ~/.zshrc, after compinit: source <(backuptool completion zsh)
_backuptool() {
  local -a replies
  replies=("\${(@f)$(backuptool __complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $replies[1] == :(files|folders) ]]; then
    compset -P '--[^=]#='
    compset -P 'file://'
    [[ $replies[1] == :files ]] && _files || _files -/
  else
    compadd -S "" -- \${(M)replies:#*[/:]}
    compadd -- \${replies:#(|*[/:])}
  fi
}
if [[ $funcstack[1] == _backuptool ]]; then _backuptool "$@"; else compdef _backuptool backuptool; fi
`,
} as const;
