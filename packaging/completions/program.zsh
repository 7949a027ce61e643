#compdef @program@
# Completion of @program@ for zsh: asks the program itself what fits.

_pamtunnel_@program@() {
    local line
    local -a lines fitting
    lines=("${(@f)$("${(Q)words[1]}" --complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    if [[ $lines[1] == / ]]; then
        compset -P '*='
        _files
        return
    fi
    for line in $lines; do
        # WORD, a tab, what it is for; a colon is what _describe looks for between the two.
        fitting+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    (( $#fitting )) && _describe -V @program@ fitting
}

_pamtunnel_@program@ "$@"
