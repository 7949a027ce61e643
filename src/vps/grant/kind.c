#include "vps/grant/kind.h"

const char *kind_name(enum kind kind)
{
    return kind == KIND_RDP ? "rdp" : "ssh";
}
