# Completion of @program@ for bash: asks the program itself what fits.

_pamtunnel_@program@() {
    local line word typed answer
    local -a words
    # Words as the program gets them: for bash they also end at each '=' and ':'.
    line=${COMP_LINE:0:COMP_POINT}
    read -ra words <<<"$line"
    [[ $line != *[[:space:]] ]] || words+=("")
    word=${words[${#words[@]} - 1]}
    # What bash puts the answer in the place of: the part behind the last of those.
    typed=${COMP_WORDS[COMP_CWORD]}
    [[ $typed != [=:]* ]] || typed=

    COMPREPLY=()
    answer=$("${words[0]/#\~/$HOME}" --complete "${words[@]:1}" 2>/dev/null)
    [[ $answer != / ]] || return # a file: bash completes its name by itself
    compopt +o default
    typed=${word%"$typed"}
    while IFS=$'\t' read -r word _; do
        [[ -z $word ]] || COMPREPLY+=("${word#"$typed"}")
    done <<<"$answer"
}

complete -o default -F _pamtunnel_@program@ @program@
