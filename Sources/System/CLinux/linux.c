#include "CLinux.h"
int nagaya_linux_abi(void){return 1;}
