# Completion of @program@ for fish: asks the program itself what fits.

function __pamtunnel_@program@
    set -l words (commandline -opc) (commandline -ct)
    set -l answer ($words[1] --complete $words[2..-1] 2>/dev/null)
    if test "$answer" = /
        set -l option (string match -r '^--[^=]*=' -- $words[-1])
        for path in (__fish_complete_path (string replace -- "$option" '' $words[-1]))
            echo "$option$path"
        end
    else
        string collect -- $answer
    end
end

complete -c @program@ -f -a '(__pamtunnel_@program@)'
