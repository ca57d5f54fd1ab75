int nagaya_linux_abi(void);
